'use strict';
(() => {
  const form = document.getElementById('setting');
  const status = document.getElementById('status');
  const update = document.getElementById('update');
  const gone = document.getElementById('gone');
  const tab = document.body.dataset.tab;
  const WAIT = 250;
  const SETTLE = 2000;
  const HEARTBEAT = 15000;
  const OF_MODEL = /^(prior\.|reference\.|link$|tails$|interaction$)/;

  let shown = null; // the query of the numbers on the page
  let waiting = 0;
  let settling = 0;
  let asked = null; // aborts the request whose answer is awaited
  let address = location.search; // that of the setting, without which going back means nothing

  // The setting as a query: what differs from the base, and nothing else.
  function query() {
    const fields = new URLSearchParams();
    for (const control of form.elements) {
      if (!control.name) continue;
      if (control.type === 'checkbox') {
        if (control.dataset.when === 'off' && !control.checked) fields.append(control.name, control.value);
      } else if (control.type === 'range') {
        if (Number(control.value)) fields.append(control.name, control.value);
      } else if (control.id === 'engine') {
        if (control.selectedIndex) fields.append(control.name, control.value);
      } else if ('base' in control.dataset) {
        if (control.value !== control.dataset.base) fields.append(control.name, control.value);
      } else if (control.value.trim()) {
        fields.append(control.name, control.value.trim());
      }
    }
    return fields.toString();
  }

  // The same without reasons, on which no number depends.
  function analysis(text) {
    const fields = new URLSearchParams();
    for (const [name, value] of new URLSearchParams(text)) {
      if (name !== 'why' && !name.startsWith('why.')) fields.append(name, value);
    }
    return fields.toString();
  }

  function say(text) {
    if (status.textContent !== text) status.textContent = text;
  }

  function busy(on, text) {
    document.body.toggleAttribute('data-busy', on);
    document.getElementById('summary').setAttribute('aria-busy', String(on));
    if (text) say(text);
  }

  function offerUpdate(on) {
    update.hidden = !on;
  }

  // The numbers on the page are not those of its setting.
  function outdated() {
    document.getElementById('summary').setAttribute('data-outdated', '');
    offerUpdate(true);
  }

  function remember(text, how = 'pushState') {
    history[how](null, '', text ? `/?${text}` : '/');
    address = location.search;
  }

  // The prior that a slider stands at; what it implies is computed.
  function tellPrior(slider) {
    const text = JSON.parse(slider.dataset.texts)[Number(slider.value) - Number(slider.min)];
    if (slider.getAttribute('aria-valuetext') === text) return;
    slider.setAttribute('aria-valuetext', text);
    slider.parentElement.querySelector('.prior-text').textContent = text;
    document.getElementById(slider.getAttribute('aria-describedby')).textContent = 'what it implies follows with the refit';
  }

  async function post(path, setting, signal, before = '') {
    const body = new URLSearchParams({tab, setting, before});
    try {
      const response = await fetch(path, {method: 'POST', body, signal, credentials: 'same-origin'});
      gone.hidden = true;
      if (response.status === 204) return null;
      const text = await response.text();
      if (!(response.headers.get('content-type') || '').startsWith('text/html') || response.status === 403) {
        say(response.status === 403 ? 'This page belongs to an earlier session: open the address in the terminal.'
          : 'The server could not answer; the terminal says why.');
        return null;
      }
      return text;
    } catch (error) {
      if (error.name !== 'AbortError') {
        gone.hidden = false;
        busy(false, 'The server does not answer.');
      }
      return null;
    }
  }

  // What must not move when parts above it change their height: what has the focus, or the first cohort in sight.
  function anchorOf() {
    const inSight = (element) => {
      const {top, bottom} = element.getBoundingClientRect();
      return bottom > 60 && top < innerHeight;
    };
    const focused = document.activeElement;
    const found = focused && focused.id && focused.form === form && inSight(focused)
      ? focused
      : [...document.querySelectorAll('#cohorts input')].find(inSight);
    return found ? {id: found.id, top: found.getBoundingClientRect().top} : null;
  }

  // Put the parts of an answer in place of those with the same id; what was changed meanwhile stays, and so does the focus.
  function place(text, {keep = []} = {}) {
    const made = new DOMParser().parseFromString(text, 'text/html');
    const focused = document.activeElement && document.activeElement.id;
    const caret = document.activeElement && document.activeElement.selectionStart;
    const live = new Map();
    for (const control of form.elements) {
      if (control.id) live.set(control.id, [control.name, control.type === 'checkbox' ? control.checked : control.value]);
    }
    const open = new Map([...document.querySelectorAll('details[id]')].map((each) => [each.id, each.open]));
    const anchor = anchorOf();
    const scrolled = new Map([...document.querySelectorAll('.scroll')].map((each) => [each.getAttribute('aria-label'), each.scrollLeft]));
    for (const part of [...made.body.children]) {
      const old = part.id && document.getElementById(part.id);
      if (!old || keep.includes(part.id)) continue;
      old.replaceWith(document.adoptNode(part));
    }
    for (const control of form.elements) {
      const was = live.get(control.id);
      if (!was || was[0] !== control.name) continue;
      if (control.type === 'checkbox') control.checked = was[1];
      else if (control.tagName !== 'SELECT' || [...control.options].some((option) => option.value === was[1])) control.value = was[1];
      if (control.type === 'range') tellPrior(control);
    }
    for (const each of document.querySelectorAll('.scroll')) each.scrollLeft = scrolled.get(each.getAttribute('aria-label')) || 0;
    for (const each of document.querySelectorAll('details[id]')) if (open.has(each.id)) each.open = open.get(each.id);
    const anchored = anchor && document.getElementById(anchor.id);
    if (anchored) scrollBy(0, anchored.getBoundingClientRect().top - anchor.top);
    if (focused && document.activeElement === document.body) {
      const again = document.getElementById(focused);
      if (again) {
        again.focus({preventScroll: true});
        if (again.type === 'text') again.setSelectionRange(caret, caret);
      }
    }
  }

  function showSummary() {
    const summary = document.getElementById('summary');
    say(summary.dataset.status);
    return summary.dataset;
  }

  async function fit(settled) {
    clearTimeout(waiting);
    clearTimeout(settling);
    if (asked) asked.abort();
    const own = asked = new AbortController();
    const setting = query();
    offerUpdate(false);
    busy(true, settled ? '' : 'Refitting …');
    const text = await post(settled ? '/fit?draws=settled' : '/fit', setting, own.signal);
    if (own !== asked) return;
    asked = null;
    busy(false);
    if (text === null) {
      if (shown === null || analysis(setting) !== analysis(shown)) outdated();
      return;
    }
    const typing = document.activeElement && document.activeElement.classList.contains('reason');
    place(text, {keep: typing ? ['changes'] : []});
    const told = showSummary();
    shown = setting;
    if (told.state === 'lost') offerUpdate(true);
    if (told.settles === 'yes') settling = setTimeout(() => fit(true), SETTLE);
  }

  // What depends on the setting alone is there at once.
  async function setting({reasonOnly = false} = {}) {
    const wanted = query();
    const text = await post('/setting', wanted);
    if (text !== null && wanted === query()) place(text, {keep: reasonOnly ? ['changes'] : []});
  }

  async function preview() {
    if (shown === null || asked) return;
    const before = shown;
    const after = query();
    const text = await post('/preview', after, undefined, before);
    if (text !== null && after === query() && shown === before) {
      place(text);
      showSummary();
    }
  }

  async function changed() {
    clearTimeout(settling);
    clearTimeout(waiting);
    const now = query();
    remember(now);
    setting();
    // Back at what was shown last, whose numbers the server knows.
    if (shown !== null && analysis(now) === analysis(shown)) {
      fit(false);
      return;
    }
    if (document.getElementById('summary').dataset.automatic === 'no') {
      if (asked) asked.abort();
      asked = null;
      busy(false, 'Changed, and not refitted yet: press Update.');
      outdated();
      return;
    }
    busy(true, 'Refitting …');
    waiting = setTimeout(() => fit(false), WAIT);
    preview();
  }

  let typed = 0;
  function reasonTyped() {
    clearTimeout(typed);
    typed = setTimeout(() => {
      remember(query(), 'replaceState');
      setting({reasonOnly: true});
    }, 400);
  }

  function ofAnotherModel() {
    for (const control of [...form.elements]) {
      if (OF_MODEL.test(control.name)) control.name = '';
    }
  }

  function wholeTrial(button) {
    const names = new Set(JSON.parse(button.dataset.cohorts));
    const boxes = [...form.elements].filter((control) => control.name === 'out' && names.has(control.value));
    const into = boxes.every((box) => !box.checked);
    for (const box of boxes) box.checked = into;
    changed();
  }

  function allTheFirstReason() {
    const reasons = [...document.querySelectorAll('#changes .reason')];
    for (const each of reasons) each.value = reasons[0].value;
    reasonTyped();
  }

  async function copy(button) {
    const code = document.getElementById('command');
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = 'Copied';
      say('Command copied.');
    } catch {
      getSelection().selectAllChildren(code);
      say('The command is selected: copy it.');
    }
  }

  async function keepRun(button) {
    button.disabled = true;
    say('Writing the run …');
    const text = await post('/keep', query());
    if (text !== null) {
      place(text);
      const fault = document.querySelector('#leaving [role=alert]');
      say(fault ? fault.textContent : 'The run is kept.');
    }
    const again = document.getElementById('keep');
    if (again) again.disabled = false;
    if (again) again.focus();
  }

  form.addEventListener('submit', (event) => event.preventDefault());
  document.addEventListener('change', (event) => {
    const control = event.target;
    if (control.form !== form || !control.name) return;
    if (control.classList.contains('reason')) return;
    if (!control.checkValidity()) {
      control.reportValidity();
      return;
    }
    if (control.id === 'model') ofAnotherModel();
    changed();
  });
  document.addEventListener('input', (event) => {
    if (event.target.classList.contains('reason')) reasonTyped();
    if (event.target.type === 'range') tellPrior(event.target);
  });
  document.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    if (button.classList.contains('whole-trial')) wholeTrial(button);
    if (button.id === 'same-reason') allTheFirstReason();
    if (button.id === 'update') fit(false);
    if (button.id === 'copy') copy(button);
    if (button.id === 'keep') keepRun(button);
    if (button.id === 'by-nuts') {
      document.getElementById('engine').value = 'nuts';
      remember(query());
      setting();
      fit(true);
      say('Sampling by NUTS …');
    }
  });
  // A link within the page is no other setting.
  addEventListener('popstate', () => {
    if (location.search !== address) location.reload();
  });
  setInterval(async () => {
    try {
      await fetch('/alive', {credentials: 'same-origin'});
      gone.hidden = true;
    } catch {
      gone.hidden = false;
    }
  }, HEARTBEAT);

  const first = document.getElementById('summary').dataset;
  if (['none', 'few', 'refused'].includes(first.state)) shown = query();
  else fit(first.state === 'settled');
})();
