"""Every route, and everybody who is refused."""

import asyncio
import io
import json
import re
import socket
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest

from alkbayes.errors import UsageError
from alkbayes.evidence.sources import TableSource
from alkbayes.explore import explorer as explorers
from alkbayes.explore.analyst import Analyst
from alkbayes.explore.base import Base, base_of_run, base_of_table
from alkbayes.explore.jobs import Answer, FitJob, Fitted, Job, Unreliable
from alkbayes.explore.server import MOST_BODY, POLICY, Session, listen
from alkbayes.explore.setting import Setting
from alkbayes.explore.worker import WorkerEndedError
from alkbayes.inference.importance.engine import Fallback
from alkbayes.runs.run import read_run

type Open = Callable[..., AbstractContextManager]

READ = ("/", "/explore.css", "/report.css", "/explore.js", "/alive", "/model.toml", "/kept/1/archive.zip")
ALL = ("a1", "a2", "b1", "c1", "d1", "d2", "e1", "f1", "g1")
CHANGES = ("/setting", "/preview", "/fit", "/keep")


def state(html: str) -> str:
    return re.search(r'id="summary"[^>]*data-state="([a-z]+)"', html)[1]


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_the_first_address_gives_a_cookie_and_leaves_no_token(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.client.cookies.clear()
        answer = page.client.get("/", params={"token": page.token})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"alkbayes-explore-{page.port}={page.token};")
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert page.client.get("/").status_code == 200


@pytest.mark.parametrize("path", [*READ, *CHANGES])
def test_without_the_cookie_nothing_is_answered(base: Base, opened: Open, path: str) -> None:
    with opened(base) as page:
        for cookies in ({}, {f"alkbayes-explore-{page.port}": "guess"}, {"alkbayes-explore-1": page.token}):
            page.client.cookies.clear()
            page.client.cookies.update(cookies)
            method = page.client.post if path in CHANGES else page.client.get
            answer = method(path, headers=page.origin)
            assert answer.status_code == 403
            assert "the terminal shows" in answer.text
        assert page.client.get("/", params={"token": "guess"}).status_code == 403
        assert page.client.get("/fit", params={"token": page.token}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8123", "127.0.0.1", "127.0.0.1:9", "localhost.evil:8123", ""]
)
def test_another_host_is_refused(base: Base, opened: Open, host: str) -> None:
    with opened(base) as page:
        for path in READ:
            assert page.client.get(path, headers={"host": host}).status_code == 421
        assert page.client.get("/", headers={"host": f"localhost:{page.port}"}).status_code == 200


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:9", "https://127.0.0.1:8123"]
)
@pytest.mark.parametrize("path", CHANGES)
def test_a_change_is_asked_for_by_the_page_alone(base: Base, opened: Open, path: str, origin: str | None) -> None:
    with opened(base) as page:
        headers = {} if origin is None else {"origin": origin}
        assert page.client.post(path, data={"tab": "t", "setting": ""}, headers=headers).status_code == 403
        crossed = page.origin | {"sec-fetch-site": "cross-site"}
        assert page.client.post(path, data={"tab": "t", "setting": ""}, headers=crossed).status_code == 403
        assert page.client.get(path).status_code == 405


def test_a_body_has_a_limit(base: Base, opened: Open) -> None:
    with opened(base) as page:
        large = b"x" * (MOST_BODY + 1)
        assert page.client.post("/setting", content=large, headers=page.origin).status_code == 413
        # In pieces, without a length said beforehand.
        pieces = (b"x" * 4096 for _ in range(MOST_BODY // 4096 + 1))
        assert page.client.post("/setting", content=pieces, headers=page.origin).status_code == 413
        bad = page.origin | {"content-length": "-1"}
        assert page.client.post("/setting", content=b"", headers=bad).status_code == 413


@pytest.mark.parametrize("path", [*READ, "/none", "/fit"])
def test_every_answer_has_the_strict_headers(base: Base, opened: Open, path: str) -> None:
    with opened(base) as page:
        answer = page.client.get(path)
        assert answer.headers["content-security-policy"] == POLICY
        assert "unsafe" not in POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_page_has_no_style_and_no_script_of_its_own(base: Base, opened: Open) -> None:
    with opened(base) as page:
        html = page.client.get("/").text + page.fit("out=a1")
        assert re.findall(r"<style|<script(?! src=)|\sstyle=|\son[a-z]+=|javascript:|https?://", html) == []
        assert page.client.get("/none.css").status_code == 404


def test_the_first_paint_is_classical_pooling(base: Base, opened: Open) -> None:
    with opened(base, Never) as page:
        html = page.client.get("/").text
        assert state(html) == "pending"
        assert "Classical pooling of these cohorts" in html
        assert 'value="a1" data-when="off" form="setting" checked' in html


def test_a_setting_stands_beside_the_base(base: Base, opened: Open) -> None:
    with opened(base) as page:
        first = page.fit()
        assert state(first) == "settled"
        assert "Grey: the base" not in first
        html = page.fit("out=a1&out=b1&why.a1=phase+I&why.b1=phase+I")
        assert state(html) == "settled"
        assert "Grey: the base" in html
        assert 'data-status="7 cohorts: mean ORR ' in html
        assert "points from the base" in html
        assert "without a1, b1 (phase I)" in text(html)
        assert "Setting 1 of 1 tried on this table" in text(html)
        assert text(page.fit("out=a1&out=b1")).count("Setting 1 of 1") == 1, "a reason is no other setting"
        assert "Setting 2 of 2" in text(page.fit("out=a1"))


def test_a_first_answer_is_said_to_be_one(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit()
        html = page.fit("seed=5", settled=False)
        assert state(html) == "quick"
        assert 'data-settles="yes"' in html
        assert "First 1,000 draws" in text(html)
        assert state(page.fit("seed=5")) == "settled"
        assert state(page.fit("seed=5", settled=False)) == "settled", "what is known is not asked again"


def test_every_setting_tried_is_a_line(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit()
        for query in ("out=a1", "seed=3", "out=a1&why.a1=x", "out=zz", ""):
            page.post("/fit?draws=settled", query)
        lines = [json.loads(line) for line in Path("runs/exploration.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [line["setting"] for line in lines] == ["out=a1", "seed=3"]
        assert [line["changes"] for line in lines] == [["without a1"], ["seed 3"]]
        assert lines[0]["cohorts"] == 8
        assert 0 < lines[0]["mean"]["low"] < lines[0]["mean"]["median"] < lines[0]["mean"]["high"] < 1
    with opened(base) as page:
        page.fit()
        html = page.fit("out=b1")
        assert "Setting 3 of 3 tried on this table, 2 of them in earlier sessions" in text(html)


def test_no_numbers_are_shown_of_a_setting_that_cannot_be_written_down(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit()
        page.fit("out=a1")
        log = Path("runs/exploration.jsonl")
        log.rename("elsewhere")
        log.mkdir()
        assert page.post("/preview", "out=b1").status_code == 204
        html = page.fit("out=b1")
        assert state(html) == "refused"
        assert "runs/exploration.jsonl: a setting tried could not be written: Is a directory" in text(html)
        assert "points from the base" not in html
        assert "There is nothing to keep" in text(page.post("/keep", "out=b1&why.b1=x").text)
        assert state(page.client.get("/?out=b1").text) == "refused"
        log.rmdir()
        assert state(page.fit("out=b1")) == "settled"


def test_what_is_seen_as_a_preview_or_kept_unseen_is_tried(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit()
        assert page.post("/preview", "out=b1").status_code == 200
        assert page.post("/keep", "out=c1&why.c1=x").status_code == 200
        page.fit("out=b1")
        lines = [json.loads(line) for line in Path("runs/exploration.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [(line["setting"], line["engine"]) for line in lines] == [
            ("out=b1", "preview"),
            ("out=c1&why.c1=x", "quadrature"),
        ]
        kept = read_run(page.explorer.kept[0][0])
        assert kept["provenance"]["exploration"]["settings_tried"] == 2


def test_an_exploratory_run_stays_one_when_it_is_the_base(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit("seed=3")
        page.post("/keep", "out=a1&why.a1=phase+I")
        folder = page.explorer.kept[0][0]
    document = read_run(folder)
    of_run = base_of_run(folder, document)
    begun = Fitted(of_run.setting.analysis, False, document, (), {}, 0.0)
    with opened(of_run, begun=begun) as page:
        said = text(page.client.post("/setting", data={"tab": "t", "setting": ""}, headers=page.origin).text)
        assert "The base is an exploratory run itself (without a1 (phase I))" in said
        page.post("/keep", "out=b1&why.b1=x")
        page.post("/keep", "")
        kept = [read_run(folder)["provenance"]["exploration"] for folder, marked in page.explorer.kept if marked]
        assert kept == [
            {"settings_tried": 3, "changes": ["without a1 (phase I)", "without b1 (x)"]},
            {"settings_tried": 3, "changes": ["without a1 (phase I)"]},
        ]


def test_a_table_that_is_gone_is_said_so(base: Base, opened: Open, table: Path) -> None:
    with opened(base) as page:
        page.fit()
        table.unlink()
        html = page.fit("model=overall")
        assert state(html) == "refused"
        assert "there is no such file" in text(html)
        assert page.client.get("/?model=overall").status_code == 200
        assert state(page.fit()) == "settled"


@pytest.mark.parametrize(
    ("query", "wanted", "said"),
    [
        (
            urlencode([("out", name) for name in ALL]),
            "none",
            "there is nothing to pool",
        ),
        ("drop.line=naive&drop.line=pretreated", "few", "1 cohort left, and 3 are needed"),
        ("out=zz", "refused", 'the table has no cohort "zz"'),
        ("reference.line=none", "refused", "none"),
        ("drop.region=Mars", "refused", 'the column "region" has no level "Mars"; it has Asia, Europe.'),
        ("drop.line=mixed", "settled", "No cohort is left of mixed"),
    ],
)
def test_named_states(base: Base, opened: Open, query: str, wanted: str, said: str) -> None:
    with opened(base) as page:
        page.fit()
        html = page.fit(query)
        assert state(html) == wanted
        assert said in text(html)
        assert "This is the base analysis" not in html
        assert 'id="cohorts"' in html, "the boxes are there to tick again"
        again = page.client.get(f"/?{query}").text
        assert state(again) == wanted


def test_a_query_that_is_no_setting_is_refused(base: Base, opened: Open) -> None:
    with opened(base) as page:
        assert page.client.get("/?frobnicate=1").status_code == 400
        answer = page.post("/fit", "frobnicate=1")
        assert (answer.status_code, state(answer.text)) == (422, "refused")
        assert page.client.post("/fit", content=b"\xff\xfe", headers=page.origin).status_code == 422
        assert page.client.post("/fit", data={"tab": "t"}, headers=page.origin).status_code == 422
        assert page.client.get("/model.toml?frobnicate=1").status_code == 400
        assert page.client.get("/model.toml?out=zz").status_code == 400


def test_a_failed_gate_strikes_the_numbers_out_and_offers_nuts(
    base: Base, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(base) as page:
        page.fit()
        monkeypatch.setattr(
            "alkbayes.explore.analyst.fit_by_quadrature",
            lambda *_, **__: Fallback("Pareto k is 0.90, above 0.7"),
        )
        html = page.fit("out=a1", settled=False)
        assert state(html) == "unreliable"
        assert "Pareto k is 0.90" in text(html)
        assert re.search(r"<b>\d", html) is None
        assert len(re.findall(r"<s>\d", html)) > 4
        assert 'id="by-nuts"' in html
        assert "not to be used" in text(html)
        assert not Path("runs/exploration.jsonl").exists()


def test_a_posterior_that_did_not_converge_is_struck_out(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit()
        known = page.explorer.of_base
        diagnostics = known.document["diagnostics"] | {"converged": False, "failures": ["R-hat of tau is 1.3"]}
        failed = Fitted(
            Setting(seed=3), False, known.document | {"diagnostics": diagnostics}, known.cohorts, known.implied, 1.0
        )
        page.explorer._known[Setting(seed=3), False] = failed
        html = page.fit("seed=3")
        assert state(html) == "failed"
        assert "NOT CONVERGED: R-hat of tau is 1.3" in text(html)
        assert re.search(r"<b>\d", html) is None
        assert 'class="posterior"' not in html, "nor does the forest show them"
        assert "<caption>Heterogeneity" not in html
        assert "Classical pooling of these cohorts" in html
        assert 'id="by-nuts"' in html
        page.explorer._known[Setting(seed=4), False] = Unreliable("units differ (EXNEX)", by_nuts=False, implied={})
        assert 'id="by-nuts"' not in page.fit("seed=4")


def test_nothing_is_compared_with_a_base_that_did_not_converge(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit()
        known = page.explorer.of_base
        diagnostics = known.document["diagnostics"] | {"converged": False, "failures": ["R-hat of tau is 1.3"]}
        page.explorer._of_base = replace(known, document=known.document | {"diagnostics": diagnostics})
        assert state(page.fit()) == "failed"
        assert page.post("/preview", "out=a1").status_code == 204
        html = page.fit("out=a1")
        assert state(html) == "settled"
        assert "Grey: the base" not in html
        assert "points from the base" not in html


def test_slow_models_and_large_tables_wait_for_a_button(
    base: Base, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(base) as page:
        page.fit()
        # However busy the machine is.
        monkeypatch.setattr(explorers, "SLOW_SECONDS", 1e9)
        assert 'data-automatic="yes"' in page.fit("out=a1", settled=False)
        monkeypatch.setattr(explorers, "SLOW_SECONDS", 0.0)
        assert 'data-automatic="no"' in page.fit("out=b1", settled=False)
        monkeypatch.setattr(explorers, "SLOW_SECONDS", 1e9)
        assert 'data-automatic="yes"' in page.fit("out=c1", settled=False)
        monkeypatch.setattr(explorers, "MOST_COHORTS", 8)
        assert 'data-automatic="no"' in page.fit("out=c1", settled=False)


def test_a_preview_comes_from_the_fit_before(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit()
        answer = page.post("/preview", "out=b1")
        assert (answer.status_code, state(answer.text)) == (200, "preview")
        assert "Preview without b1" in answer.text
        assert 'id="cohorts"' not in answer.text
        for setting, before in (("out=b1&out=a1", ""), ("seed=3", ""), ("", "out=b1"), ("out=zz", "")):
            assert page.post("/preview", setting, before).status_code == 204


class Never:
    """A worker that is never ready."""

    alive = True

    async def ready(self) -> None:
        await asyncio.Event().wait()

    async def ask(self, _job: object) -> object:
        raise AssertionError

    def end(self) -> None:
        return


class Dying:
    """A worker that starts, and ends at its first job."""

    alive = True

    async def ready(self) -> None:
        return

    async def ask(self, _job: object) -> object:
        raise WorkerEndedError

    def end(self) -> None:
        return


def test_a_base_whose_worker_was_killed_is_fitted_again(
    base: Base, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, killed = Analyst.answer, []

    def once_killed(self: Analyst, job: Job) -> Answer:
        if isinstance(job, FitJob) and not job.quick and not killed:
            killed.append(job)
            raise WorkerEndedError
        return answered(self, job)

    monkeypatch.setattr(Analyst, "answer", once_killed)
    with opened(base) as page:
        html = page.fit("out=a1")
        if state(html) == "lost":
            # It was this one that was killed, before the base's.
            html = page.fit("out=a1")
        assert killed
        assert "Grey: the base" in html
        assert "points from the base" in html


def test_the_first_answer_of_the_base_is_computed_once(
    base: Base, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Job] = []
    answered = Analyst.answer

    def counted(self: Analyst, job: Job) -> Answer:
        jobs.append(job)
        return answered(self, job)

    monkeypatch.setattr(Analyst, "answer", counted)
    with opened(base) as page:
        assert state(page.fit(settled=False)) in {"quick", "settled"}
        page.fit()
    assert [job.quick for job in jobs if isinstance(job, FitJob)] == [True, False]


def test_a_killed_worker_is_said_so(base: Base, opened: Open) -> None:
    with opened(base, Dying) as page:
        html = page.fit("out=a1")
        assert state(html) == "lost"
        assert "Another one has been started" in text(html)


def test_what_is_kept_is_a_run_marked_exploratory_unless_it_is_the_base(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit()
        refused = page.post("/keep", "out=a1")
        assert refused.status_code == 422
        assert "Every exclusion needs a reason, and there is none yet for a1" in text(refused.text)
        page.fit("out=a1")
        kept = page.post("/keep", "out=a1&why.a1=phase+I")
        assert kept.status_code == 200
        (folder, marked) = page.explorer.kept[0]
        assert marked
        assert folder.parent == Path("runs")
        assert f"Kept: {folder} , exploratory" in text(kept.text)
        document = read_run(folder)
        assert document["provenance"]["exploration"] == {"settings_tried": 1, "changes": ["without a1 (phase I)"]}
        assert document["evidence"]["reason"] == "phase I"
        assert page.post("/keep", "").status_code == 200
        assert "exploration" not in read_run(page.explorer.kept[1][0])["provenance"]
        archive = page.client.get("/kept/1/archive.zip")
        names = zipfile.ZipFile(io.BytesIO(archive.content)).namelist()
        assert f"{folder.name}/run.json" in names
        assert f"{folder.name}/posterior.nc" in names
        for number in ("0", "3"):
            assert page.client.get(f"/kept/{number}/archive.zip").status_code == 404
            assert page.client.get(f"/kept/{number}/report.html").status_code == 404


@pytest.mark.slow
def test_the_report_of_what_is_kept_says_that_it_is_exploratory(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit()
        page.post("/keep", "out=a1&why.a1=phase+I")
        report = page.client.get("/kept/1/report.html")
        assert report.headers["content-disposition"] == 'attachment; filename="report.html"'
        assert "EXPLORATORY: the only setting tried on this table" in report.text
        assert "without a1 (phase I)" in report.text


def test_the_command_and_the_model_file_can_be_taken_away(base: Base, opened: Open) -> None:
    with opened(base) as page:
        html = page.post("/setting", "out=a1&why.a1=phase+I").text
        assert "--exclude a1 --reason" in html
        assert 'id="summary"' not in html
        html = page.post("/setting", "prior.heterogeneity.0=1").text
        assert "alkbayes fit line-explored.toml" in html
        model = page.client.get("/model.toml?prior.heterogeneity.0=1")
        assert model.headers["content-disposition"] == 'attachment; filename="line-explored.toml"'
        assert b"sd = 0.71" in model.content
        assert page.client.get("/model.toml").content == base.model_bytes


def test_a_run_is_shown_with_its_own_numbers(base: Base, opened: Open) -> None:
    with opened(base) as page:
        page.fit()
        page.post("/keep", "")
        folder = page.explorer.kept[0][0]
    document = read_run(folder)
    of_run = base_of_run(folder, document)
    begun = Fitted(of_run.setting.analysis, False, document, page.explorer.of_base.cohorts, {}, 0.0)
    with opened(of_run, Never, begun) as page:
        html = page.client.get("/").text
        assert state(html) == "settled"
        assert f"The base is the run <code>{folder}</code>" in html


HOSTILE = "<script>alert(1)</script>\"'\u202e"


def test_hostile_names_are_text(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "t.csv"
    rows = [f'"{HOSTILE.replace(chr(34), chr(34) * 2)}",<img src=x>,<b>,30,12']
    rows += [f"{name},<img src=x>,<i>,30,{events}" for name, events in (("b", 10), ("c", 14), ("d", 9))]
    path.write_text("cohort_id,trial,kind <u>,n,responders\n" + "\n".join(rows) + "\n", encoding="utf-8")
    hostile = base_of_table(TableSource(path), "overall")
    with opened(hostile) as page:
        query = urlencode({"out": HOSTILE, f"why.{HOSTILE}": HOSTILE, "drop.kind <u>": "<b>", "why": "<b>"})
        html = page.client.get("/").text + page.fit(query)
        for tag in ("<script>alert", "<img src=x", "<b>,", "<u>", "<i>"):
            assert tag not in html.replace("<b>6", "").replace("<b>3", "")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "\\u202e" in html, "what would turn the text around is shown as a code"
        assert page.post("/keep", query).status_code == 200


def test_an_hour_without_use_ends_it() -> None:
    now = [0.0]
    session = Session(idle=3600.0, now=lambda: now[0])
    now[0] = 3500.0
    assert not session.over
    session.used()
    now[0] = 7000.0
    assert not session.over
    now[0] = 7200.0
    assert session.over


def test_the_heartbeat_of_an_open_page_is_no_use(base: Base, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    monkeypatch.setattr(Session, "used", lambda _self: used.append(1))
    with opened(base) as page:
        assert page.client.get("/alive").status_code == 204
        assert used == []
        page.client.get("/explore.css")
        assert used == [1]


def test_a_port_is_free_again_as_soon_as_the_page_has_ended() -> None:
    listening = listen(0)
    port = listening.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as client:
        served, _ = listening.accept()
        # Who closes first waits for a minute.
        served.close()
        assert client.recv(1) == b""
    listening.close()
    listen(port).close()


def test_a_port_that_is_taken_is_refused() -> None:
    taken = listen(0)
    with pytest.raises(UsageError, match="cannot be used"):
        listen(taken.getsockname()[1])
    assert taken.getsockname()[0] == "127.0.0.1"
    taken.close()
