// The balance in the header, and the number on an assistant's card. Both come from /api/v1/balance,
// asked again when a receipt appears, when the page is looked at again, and when the talk moves on.
// Also the names and roles that the page's own parts lack for those who do not see them.
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
  // What the page's own parts are. A conversation's menu is a `div` inside a button inside a link: the
  // link stays what leads there, and the menu becomes a button of its own, within reach of the keyboard.
  const ROLES = {
    '#welcome-screen img:not([alt])': { alt: '' },
    'ul:has(> #thread-history)': { role: 'presentation' },
    'a > button:has(> #thread-options)': { role: 'group', tabindex: '-1', 'aria-label': (part) => part.textContent },
    '#thread-options': { role: 'button', tabindex: '0', 'aria-label': 'More about this conversation' },
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
    for (const [which, attributes] of Object.entries(ROLES)) {
      for (const part of document.querySelectorAll(which)) {
        for (const [attribute, value] of Object.entries(attributes)) {
          const wanted = typeof value === 'string' ? value : value(part);
          if (part.getAttribute(attribute) !== wanted) part.setAttribute(attribute, wanted);
        }
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
