'use strict';
(() => {
  const table = document.getElementById('cohorts');
  if (!table) return;
  const body = table.tBodies[0];
  const original = [...body.rows];
  const cohorts = original.filter((row) => row.classList.contains('cohort'));
  const find = document.getElementById('find');
  const selects = [...document.querySelectorAll('select[data-filter]')];
  const count = document.getElementById('count');
  const again = document.getElementById('order');
  let sorted = false;

  const words = new Map(cohorts.map((row) => [row, row.textContent.toLowerCase()]));
  const groups = new Map(cohorts.map((row) => [row, JSON.parse(row.dataset.groups)]));

  function show() {
    const wanted = find.value.trim().toLowerCase();
    let shown = 0;
    for (const row of cohorts) {
      const fits = words.get(row).includes(wanted)
        && selects.every((select) => !select.value || groups.get(row)[select.dataset.filter] === select.value);
      row.hidden = !fits;
      shown += fits;
    }
    // A group's numbers are of all its cohorts: they stand only beside all of them, in their order.
    for (const row of original) {
      if (!row.classList.contains('cohort')) row.hidden = sorted || shown < cohorts.length;
    }
    count.textContent = `${shown} of ${cohorts.length} cohorts`;
    again.hidden = !sorted && shown === cohorts.length;
  }

  function sort(heading, kind) {
    const up = heading.getAttribute('aria-sort') !== 'ascending';
    const at = heading.cellIndex;
    const value = (row) => {
      const text = row.cells[at].dataset.order;
      return kind === 'number' ? Number(text) : text;
    };
    const compare = kind === 'number' ? (a, b) => a - b : (a, b) => a.localeCompare(b);
    const rows = [...cohorts].sort((a, b) => (up ? 1 : -1) * compare(value(a), value(b)));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
    heading.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    body.append(...rows);
    sorted = true;
    show();
  }

  for (const heading of table.querySelectorAll('th[data-sort]')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...heading.childNodes);
    button.addEventListener('click', () => sort(heading, heading.dataset.sort));
    heading.append(button);
  }
  again.addEventListener('click', () => {
    body.append(...original);
    for (const heading of table.tHead.rows[0].cells) heading.removeAttribute('aria-sort');
    sorted = false;
    find.value = '';
    for (const select of selects) select.value = '';
    show();
  });
  find.addEventListener('input', show);
  for (const select of selects) select.addEventListener('change', show);
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && location.hash.startsWith('#cohort-')) location.hash = '#forest';
  });
  for (const part of document.querySelectorAll('.script')) part.hidden = false;
})();
