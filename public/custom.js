// The balance in the header, and the number on an assistant's card. Both come from /api/v1/balance,
// asked again when a receipt appears, when the page is looked at again, and when the talk moves on.
// Also the names that the page's own buttons lack for those who do not see them.
(() => {
  'use strict';

  const BADGE = 'farebox-balance';
  const NAMES = {
    '#chat-input': 'Message',
    '#chat-submit': 'Send message',
    '#stop-button': 'Stop the answer',
    '#sidebar-trigger-button': 'Conversations',
    '#search-chats-button': 'Search conversations',
    '#new-chat-button': 'New conversation',
    '#chat-profiles': 'Assistant',
    '#user-nav-button': 'Your sign-in',
    'button:has(> .lucide-copy)': 'Copy',
    'button:has(> .lucide-thumbs-up)': 'Good answer',
    'button:has(> .lucide-thumbs-down)': 'Bad answer',
    'button:has(> .lucide-arrow-down)': 'To the newest message',
  };
  let known = null;
  let isAsking = false;

  const credits = (amount) =>
    Number(amount).toLocaleString('en-US', { maximumFractionDigits: 3, useGrouping: true });
  const unit = (amount) => (Number(amount) === 1 ? 'credit' : 'credits');
  const day = (moment) =>
    new Date(moment).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

  // The picker shows the title of the assistant that is spoken to; with one entry there is none.
  function spokenTo() {
    const picker = document.getElementById('chat-profiles');
    const title = picker && picker.textContent.trim();
    return known.offerings.find((offering) => offering.title === title) || null;
  }

  function words() {
    const offering = spokenTo();
    if (offering && offering.included_until) {
      return { short: `Until ${day(offering.included_until)}`, long: `Included until ${day(offering.included_until)}` };
    }
    if (!known.offerings.length && !known.available) return { short: 'Account', long: 'Account' };
    const amount = offering ? offering.balance : known.available;
    return { short: `${credits(amount)} cr`, long: `${credits(amount)} ${unit(amount)} left` };
  }

  function name() {
    for (const [which, label] of Object.entries(NAMES)) {
      for (const nameless of document.querySelectorAll(`:is(${which}):not([aria-label])`)) {
        nameless.setAttribute('aria-label', label);
      }
    }
  }

  function draw() {
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
    const { short, long } = words();
    const [wide, narrow] = badge.children;
    if (wide.textContent !== long) {
      wide.textContent = long;
      narrow.textContent = short;
      const isCounted = long !== 'Account';
      badge.setAttribute('aria-label', isCounted ? `Balance: ${long}. Open your account.` : 'Your account');
      badge.title = isCounted ? 'Your balance and account' : 'Your account';
    }
    const offering = spokenTo();
    for (const tag of document.querySelectorAll('#welcome-screen code')) {
      if (offering && !offering.included_until && / left$/.test(tag.textContent)) {
        const fresh = `${credits(offering.balance)} left`;
        if (tag.textContent !== fresh) tag.textContent = fresh;
      }
    }
  }

  async function ask() {
    if (isAsking) return;
    isAsking = true;
    try {
      const answer = await fetch('/api/v1/balance', {
        credentials: 'same-origin',
        headers: { Accept: 'application/json' },
      });
      if (answer.status === 401) {
        window.location.assign('/login');
      } else if (answer.ok) {
        known = await answer.json();
        draw();
      }
    } catch {
      // Offline: the page itself says so.
    } finally {
      isAsking = false;
    }
  }

  // The page itself writes a conversation's address only where its list of them is open, which on
  // a phone it is not: without this a reload would lose the conversation.
  window.addEventListener('message', (event) => {
    const thread = event.source === window && event.data && event.data.farebox_thread;
    if (typeof thread === 'string' && /^[0-9a-f-]{36}$/.test(thread) && location.pathname === '/') {
      history.replaceState(history.state, '', `/thread/${thread}`);
    }
  });

  window.addEventListener('farebox:receipt', ask);
  document.addEventListener('visibilitychange', () => document.hidden || ask());
  let isDue = false;
  new MutationObserver(() => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      name();
      draw();
    });
  }).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
  ask();
})();

// Two things that belong to a conversation: how to take it away, and what may be sent with a message.
(() => {
  'use strict';

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
    button.title = 'Export this conversation';
    button.setAttribute('aria-label', button.title);
    const choices = document.createElement('div');
    const address = `/api/v1/threads/${thread[1]}/export?format=`;
    choices.append(link('Export as Markdown', `${address}md`), link('Export as JSON', `${address}json`));
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

  // The page asks what the assistant takes; its file dialog knows. The server looks for itself.
  function drawLimits() {
    const input = document.getElementById('upload-button-input');
    const place = input && input.parentElement;
    const drawn = document.getElementById(LIMITS);
    if (drawn && drawn.previousElementSibling !== place) drawn.remove();
    if (!place || document.getElementById(LIMITS)) return;
    const taken = [];
    if (input.accept.includes('image/')) taken.push('images');
    if (input.accept.includes('pdf')) taken.push('documents');
    const note = document.createElement('span');
    note.id = LIMITS;
    note.append(document.createElement('span'), 'up to 5 files, 10 MB each, 20 MB in all');
    note.firstChild.textContent = `${taken.join(' and ')}: `;
    place.after(note);
    const button = place.querySelector('button');
    if (button) {
      button.setAttribute('aria-label', 'Attach files');
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
