"""XML of version 1, written here around the figures of NCT01642004 in the structure that the registry used."""

from typing import Any

import pytest

from alkbayes.errors import RegistryError
from alkbayes.registry.declarations import Protocol
from alkbayes.registry.extraction.candidates import candidates_of
from alkbayes.registry.extraction.events import event_totals_of
from alkbayes.registry.formats.xml import study_of_xml
from alkbayes.registry.study import study_of

BUILT = """<?xml version="1.0" encoding="UTF-8"?>
<clinical_study>
  <!-- built for a test -->
  <id_info><nct_id>NCT01642004</nct_id></id_info>
  <brief_title>Nivolumab Compared to Docetaxel in NSCLC</brief_title>
  <overall_status>Active, not recruiting</overall_status>
  <phase>Phase 2/Phase 3</phase>
  <study_type>Interventional</study_type>
  <enrollment type="Actual">352</enrollment>
  <condition>Lung Cancer</condition>
  <arm_group><arm_group_label>Nivolumab</arm_group_label><arm_group_type>Experimental</arm_group_type></arm_group>
  <intervention>
    <intervention_type>Biological</intervention_type><intervention_name>Nivolumab</intervention_name>
    <arm_group_label>Nivolumab</arm_group_label><other_name>BMS-936558</other_name>
  </intervention>
  <eligibility>
    <criteria><textblock>
      Inclusion Criteria:

        -  Stage IIIB, Stage IV, or recurrent disease following
           radiation therapy

      Exclusion Criteria:

        -  Known ALK translocation
    </textblock></criteria>
    <minimum_age>18 Years</minimum_age><maximum_age>N/A</maximum_age>
  </eligibility>
  <results_reference><citation>Brahmer 2015</citation><PMID>26028407</PMID></results_reference>
  <last_update_posted type="Actual">December 11, 2017</last_update_posted>
  <clinical_results>
    <outcome_list>
      <outcome>
        <type>Other Pre-specified</type>
        <title>Objective Response Rate (ORR)</title>
        <group_list>
          <group group_id="O1"><title>Nivolumab</title></group>
          <group group_id="O2"><title>Docetaxel</title></group>
        </group_list>
        <measure>
          <units>percentage of participants</units><param>Number</param><dispersion>95% Confidence Interval</dispersion>
          <analyzed_list><analyzed><units>Participants</units><scope>Measure</scope><count_list>
            <count group_id="O1" value="135"/><count group_id="O2" value="137"/>
          </count_list></analyzed></analyzed_list>
          <class_list><class><category_list><category><measurement_list>
            <measurement group_id="O1" value="20.0" lower_limit="13.6" upper_limit="27.7"/>
            <measurement group_id="O2" value="8.8" lower_limit="4.6" upper_limit="14.8"/>
          </measurement_list></category></category_list></class></class_list>
        </measure>
      </outcome>
      <outcome>
        <type>Secondary</type><title>Duration of Response</title>
        <group_list><group group_id="O1"><title>Nivolumab</title></group></group_list>
        <measure>
          <units>months</units><param>Median</param><dispersion>95% Confidence Interval</dispersion>
          <analyzed_list><analyzed><units>Participants</units><count_list><count group_id="O1" value="27"/></count_list>
          </analyzed></analyzed_list>
          <class_list><class><category_list><category><measurement_list>
            <measurement group_id="O1" value="NA" lower_limit="9.76">Median was not reached</measurement>
          </measurement_list></category></category_list></class></class_list>
        </measure>
      </outcome>
      <outcome>
        <type>Secondary</type><title>Overall Response Rate Later</title><posting_date>01/2999</posting_date>
      </outcome>
    </outcome_list>
    <reported_events>
      <group_list><group group_id="E1"><title>Nivolumab</title></group></group_list>
      <serious_events><category_list>
        <category><title>Total</title><event_list><event><sub_title>Total</sub_title>
          <counts group_id="E1" subjects_affected="61" subjects_at_risk="131"/></event></event_list></category>
        <category><title>Blood</title><event_list><event><sub_title>Anaemia</sub_title>
          <counts group_id="E1" subjects_affected="2" subjects_at_risk="131"/></event></event_list></category>
      </category_list></serious_events>
    </reported_events>
  </clinical_results>
</clinical_study>
"""


def test_figures_are_those_of_the_same_record_in_version_2(
    protocol: Protocol, posted: dict[str, dict[str, Any]]
) -> None:
    record = study_of_xml(BUILT.encode(), "x.xml")
    rows = candidates_of(record, study_of(record), protocol)
    real = candidates_of(posted["NCT01642004"], study_of(posted["NCT01642004"]), protocol)
    figures = [(row.group_id, row.n, row.value, row.ci_low, row.ci_high, row.responders) for row in rows[:2]]
    assert figures == [
        (row.group_id, row.n, row.value, row.ci_low, row.ci_high, row.responders)
        for row in real
        if row.outcome_index == 1
    ]
    assert (rows[2].kind, rows[2].ci_low, str(rows[2].status)) == ("dor", "9.76", "clean")
    assert len(rows) == 3, "the outcome that is not posted has none"
    (serious,) = event_totals_of(record, "x")
    assert (serious.group_id, serious.value, serious.n) == ("EG000", 61, 131)


def test_the_study_is_what_version_2_would_say() -> None:
    study = study_of(study_of_xml(BUILT.encode(), "x.xml"))
    assert (study.nct_id, study.enrollment) == ("NCT01642004", 352)
    assert [phase.text for phase in study.phases] == ["PHASE2", "PHASE3"]
    assert [age.text for age in study.ages] == ["ADULT", "OLDER_ADULT"]
    assert study.last_update == "2017-12-11"
    assert [each.text for each in study.inclusion][1] == (
        "- Stage IIIB, Stage IV, or recurrent disease following radiation therapy"
    )
    assert [each.text for each in study.exclusion] == ["Exclusion Criteria:", "- Known ALK translocation"]
    assert [reference.kind for reference in study.references] == ["RESULT"]
    assert study.arms[0].interventions[0].text == "Biological: Nivolumab"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('<!DOCTYPE lolz [<!ENTITY lol "lol">]><clinical_study/>', "declares a document type"),
        ("<html/>", "found the element html"),
        ("<clinical_study>", "is no XML"),
    ],
)
def test_what_is_no_record_is_refused(content: str, said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        study_of_xml(content.encode(), "x.xml")
