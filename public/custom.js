// The balance in the header, from /api/v1/balance; the price at the composer and who gets to read a
// first message, from /composer. Both are asked again when a receipt appears, something was bought, the
// page is looked at again, and before something is written.
// The price that stands there goes to the server, which asks at no other: Chainlit's page passes on
// what is posted to its window, over the socket that its messages take.
// Also which button asks the last question again, and which notice still holds.
(() => {
  'use strict';

  const { t, tn, number, day } = window.words;
  const BADGE = 'farebox-balance';
  const PRICE = 'farebox-price';
  const SAID = 'farebox-disclosure';
  const STALE_AFTER_MS = 5000;
  const LOOK_EVERY_MS = 30000;
  let known = null;
  let assistants = [];
  let characters = null;
  let spokenWith = '';
  let told = '';
  let asked = null;
  let askedAt = 0;
  let isAsking = false;

  // The picker shows the title of the assistant that is spoken to, at once when it is switched; of
  // two that are called the same, the server says which it is.
  function among(offerings, slug) {
    const picker = document.getElementById('chat-profiles');
    const title = picker && picker.textContent.trim();
    const same = offerings.filter((offering) => offering.title === title);
    return same.find((offering) => slug(offering) === spokenWith) || same[0] || null;
  }
  const spokenTo = () => among(known.offerings, (offering) => offering.offering);

  // What the badge says in full, and where there is little room; nothing where nothing is counted.
  function left() {
    const offering = spokenTo();
    if (offering && offering.included_until) {
      const facts = { day: day(offering.included_until) };
      return { short: t('Until {day}', facts), long: t('Included until {day}', facts) };
    }
    const isCounted = offering || Number(known.available) > 0;
    if (!isCounted && !known.offerings.some((one) => !one.included_until)) return null;
    const credits = Number(offering ? offering.balance : known.available);
    const facts = { amount: number(credits) };
    return {
      short: t('{amount} cr', facts),
      long: tn('{amount} credit left', '{amount} credits left', credits, facts),
    };
  }

  function element(id, tag, place, before) {
    let found = document.getElementById(id);
    if (!found || found.parentElement !== place) {
      if (found) found.remove();
      found = document.createElement(tag);
      found.id = id;
      place.insertBefore(found, before);
    }
    return found;
  }

  // While an answer is written, what it would cost to stop it now: at the price it was asked at.
  function stopping(assistant) {
    if (!document.getElementById('stop-button')) {
      asked = assistant;
      return '';
    }
    const said = document.querySelectorAll('[data-step-type="user_message"], [data-step-type="assistant_message"]');
    const last = said[said.length - 1];
    const { stop } = asked && asked.slug === assistant.slug ? asked : assistant;
    if (!stop || !last) return '';
    const hasBegun = last.dataset.stepType === 'assistant_message';
    return hasBegun ? stop.after : stop.before;
  }

  // The price stands above the composer, in room that the stylesheet keeps for it.
  function drawPrice(assistant) {
    const composer = document.getElementById('message-composer');
    const input = document.getElementById('chat-input');
    if (!composer || !input) return;
    const line = element(PRICE, 'p', composer.parentElement, composer);
    const text = assistant ? stopping(assistant) || assistant.line : '';
    if (!line.firstChild) line.append(document.createElement('span'));
    if (line.textContent !== text) line.firstChild.textContent = text;
    if (text && input.getAttribute('aria-describedby') !== PRICE) {
      input.setAttribute('aria-describedby', PRICE);
    } else if (!text) {
      input.removeAttribute('aria-describedby');
    }
  }

  // Repeated whenever the price was asked for, because a server that began anew knows nothing of it.
  function tellPrice({ isNew }) {
    const assistant = among(assistants, (one) => one.slug);
    if (!assistant) return;
    const { slug, price } = assistant;
    if (!isNew && told === `${slug} ${price}`) return;
    told = `${slug} ${price}`;
    window.postMessage({ farebox_shown: { slug, price } }, window.location.origin);
  }

  function drawDisclosure(assistant) {
    const welcome = document.querySelector('#welcome-screen > div:first-child');
    const told = assistant && assistant.disclosure;
    if (!welcome || !told) {
      document.getElementById(SAID)?.remove();
      return;
    }
    const said = element(SAID, 'p', welcome, null);
    if (said.dataset.text !== told.text) {
      said.dataset.text = told.text;
      const link = document.createElement('a');
      link.href = told.href;
      link.target = '_blank';
      link.textContent = told.link;
      said.replaceChildren(`${told.text} `, link);
    }
  }

  // Only the last answer can be asked for again, not while something is being answered, and only by
  // who can pay for it.
  function drawAgain(assistant) {
    const buttons = document.querySelectorAll('.farebox-again');
    if (!buttons.length) return;
    const said = document.querySelectorAll('[data-step-type$="_message"]');
    const last = said[said.length - 1];
    const isBusy = document.getElementById('stop-button') !== null;
    for (const button of buttons) {
      const isOffered = last !== undefined && last.contains(button) && (!assistant || assistant.can_pay);
      if (button.hidden === isOffered) button.hidden = !isOffered;
      if (button.dataset.busy !== String(isBusy)) button.dataset.busy = isBusy;
    }
  }

  // That credits run low stands under the answer that took the last of them, for as long as it is so.
  function drawNotices(assistant) {
    if (!assistant) return;
    const notices = [...document.querySelectorAll('.farebox-notice[data-about="balance"]')];
    const last = notices.pop();
    for (const notice of notices) if (!notice.hidden) notice.hidden = true;
    if (last && last.hidden === assistant.is_low) last.hidden = !assistant.is_low;
  }

  // Who looks around writes no message.
  function drawPlaceholder(assistant) {
    const input = document.getElementById('chat-input');
    if (!input) return;
    if (!input.dataset.usual) input.dataset.usual = input.placeholder;
    const isBrowse = !assistant && document.querySelector('#chat-profiles img[src$="/avatars/browse"]');
    const wanted = isBrowse ? t('Search what is on offer') : input.dataset.usual;
    if (input.placeholder !== wanted) input.placeholder = wanted;
  }

  function draw() {
    const assistant = among(assistants, (one) => one.slug);
    drawPrice(assistant);
    if (characters) window.typing?.allow(assistant ? characters.assistant : characters.other, spokenWith);
    tellPrice({ isNew: false });
    drawDisclosure(assistant);
    drawAgain(assistant);
    drawNotices(assistant);
    drawPlaceholder(assistant);
    drawBalance();
  }

  function drawBalance() {
    if (!known) return;
    const place = document.querySelector('#header > :last-child');
    if (!place) return;
    let badge = document.getElementById(BADGE);
    if (!badge || badge.parentElement !== place) {
      if (badge) badge.remove();
      badge = document.createElement('a');
      badge.id = BADGE;
      badge.href = '/account';
      badge.append(document.createElement('span'), document.createElement('span'));
      place.prepend(badge);
    }
    const counted = left();
    const { short, long } = counted || { short: t('Account'), long: t('Account') };
    const [wide, narrow] = badge.children;
    if (wide.textContent !== long) {
      wide.textContent = long;
      narrow.textContent = short;
      badge.setAttribute(
        'aria-label',
        counted ? t('Balance: {left}. Open your account.', { left: long }) : t('Your account')
      );
      badge.title = counted ? t('Your balance and account') : t('Your account');
    }
  }

  async function fetched(address) {
    const answer = await fetch(address, {
      credentials: 'same-origin',
      headers: { Accept: 'application/json' },
    });
    if (answer.status === 401) window.location.assign('/login');
    return answer.ok ? answer.json() : null;
  }

  async function ask() {
    if (isAsking) return;
    isAsking = true;
    askedAt = Date.now();
    try {
      const [balance, composer] = await Promise.all([fetched('/api/v1/balance'), fetched('/composer')]);
      if (balance) known = balance;
      if (composer) ({ assistants, characters } = composer);
      draw();
      tellPrice({ isNew: true });
    } catch {
      // Offline: the page itself says so.
    } finally {
      isAsking = false;
    }
  }
  const askIfStale = () => Date.now() - askedAt > STALE_AFTER_MS && ask();

  // The page itself writes a conversation's address only where its list of them is open, which on
  // a phone it is not: without this a reload would lose the conversation.
  window.addEventListener('message', (event) => {
    const { farebox_thread: thread, farebox_with: slug, farebox_stale: isStale } = event.data || {};
    if (typeof slug === 'string') {
      spokenWith = slug;
      draw();
      tellPrice({ isNew: true });
    }
    if (isStale) ask();
    if (typeof thread === 'string' && /^[0-9a-f-]{36}$/.test(thread) && location.pathname === '/') {
      history.replaceState(history.state, '', `/thread/${thread}`);
    }
  });

  window.addEventListener('farebox:receipt', ask);
  document.addEventListener('visibilitychange', () => document.hidden || ask());
  document.addEventListener('focusin', (event) => event.target.id === 'chat-input' && askIfStale());
  new BroadcastChannel('farebox').addEventListener('message', ask); // something was bought
  setInterval(() => document.hidden || askIfStale(), LOOK_EVERY_MS); // a builder may change the price
  let isDue = false;
  new MutationObserver(() => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      draw();
    });
  }).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
  ask();
})();

// Two things that belong to a conversation: how to take it away, and what may be sent with a message.
(() => {
  'use strict';

  const { t } = window.words;
  const EXPORT = 'farebox-export';
  const LIMITS = 'farebox-limits';
  const THREAD = /^\/thread\/([0-9a-f-]{36})$/;
  const ICON =
    '<svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="2"' +
    ' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">' +
    '<path d="M12 3v12"/><path d="m7 10 5 5 5-5"/><path d="M5 21h14"/></svg>';

  function link(text, address) {
    const made = document.createElement('a');
    made.textContent = text;
    made.href = address;
    made.setAttribute('download', '');
    return made;
  }

  function drawExport() {
    const thread = THREAD.exec(location.pathname);
    const place = document.querySelector('#header > :last-child');
    const drawn = document.getElementById(EXPORT);
    if (drawn && (!thread || drawn.dataset.thread !== thread[1] || drawn.parentElement !== place)) drawn.remove();
    if (!thread || !place || document.getElementById(EXPORT)) return;
    const menu = document.createElement('details');
    menu.id = EXPORT;
    menu.dataset.thread = thread[1];
    const button = document.createElement('summary');
    button.innerHTML = ICON;
    button.title = t('Export this conversation');
    button.setAttribute('aria-label', button.title);
    const choices = document.createElement('div');
    const address = `/api/v1/threads/${thread[1]}/export?format=`;
    choices.append(
      link(t('Export as Markdown'), `${address}md`),
      link(t('Export as JSON'), `${address}json`)
    );
    menu.append(button, choices);
    const badge = document.getElementById('farebox-balance');
    if (badge && badge.parentElement === place) badge.after(menu);
    else place.prepend(menu);
  }

  function closeExport(event) {
    const menu = document.getElementById(EXPORT);
    if (!menu || !menu.open) return;
    const isInside = menu.contains(event.target);
    if (event.type === 'keydown' ? event.key !== 'Escape' : isInside && event.target.tagName !== 'A') return;
    menu.open = false;
    if (event.type === 'keydown') menu.querySelector('summary').focus();
  }

  function taken(accepted) {
    if (!accepted.includes('pdf')) return t('images');
    return accepted.includes('image/') ? t('images and documents') : t('documents');
  }

  // The page asks what the assistant takes; its file dialog knows. The server looks for itself.
  function drawLimits() {
    const input = document.getElementById('upload-button-input');
    const place = input && input.parentElement;
    const drawn = document.getElementById(LIMITS);
    if (drawn && drawn.previousElementSibling !== place) drawn.remove();
    if (!place || document.getElementById(LIMITS)) return;
    const note = document.createElement('span');
    note.id = LIMITS;
    note.append(document.createElement('span'), t('up to 5 files, 10 MB each, 20 MB in all'));
    note.firstChild.textContent = `${taken(input.accept)}: `;
    place.after(note);
    const button = place.querySelector('button');
    if (button) {
      button.setAttribute('aria-label', t('Attach files'));
      button.setAttribute('aria-describedby', LIMITS);
    }
  }

  document.addEventListener('click', closeExport);
  document.addEventListener('keydown', closeExport);
  let isDue = false;
  new MutationObserver(() => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      drawExport();
      drawLimits();
    });
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
