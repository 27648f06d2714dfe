// What the page's own parts lack: names and roles for those who do not see them, sentences in the
// language of the page, and a way out of a menu at the first Escape.
(() => {
  'use strict';

  const { t } = window.words;
  const NAMES = {
    '#theme-toggle': t('Light or dark'),
    '#chat-input': t('Message'),
    '#chat-submit': t('Send message'),
    '#stop-button': t('Stop the answer'),
    '#sidebar-trigger-button': t('Conversations'),
    '#search-chats-button': t('Search conversations'),
    '#new-chat-button': t('New conversation'),
    '#chat-profiles': t('Assistant'),
    '#user-nav-button': t('Your sign-in'),
  };
  // What only these pictures say; a button that has words as well says them itself.
  const PICTURES = {
    '.lucide-copy': t('Copy'),
    '.lucide-thumbs-up': t('Good answer'),
    '.lucide-thumbs-down': t('Bad answer'),
    '.lucide-arrow-down': t('To the newest message'),
  };
  // What the page's own parts are. A conversation's menu is a `div` inside a button inside a link: the
  // link stays what leads there, and the menu becomes a button of its own, within reach of the keyboard.
  const ROLES = {
    '#welcome-screen img:not([alt])': { alt: '' },
    'ul:has(> #thread-history)': { role: 'presentation' },
    'a > button:has(> #thread-options)': { role: 'group', tabindex: '-1', 'aria-label': (part) => part.textContent },
    // What is wider than a phone is moved sideways, by the keyboard too.
    '.ai-message div.overflow-auto:has(> table)': { role: 'group', tabindex: '0', 'aria-label': t('Table') },
    '.ai-message pre > code': { role: 'group', tabindex: '0', 'aria-label': t('Code') },
    'a[href^="/thread/"]': {
      'aria-current': (part) => (part.getAttribute('href') === location.pathname ? 'page' : 'false'),
    },
    '[role="listbox"] [role="article"]': { role: 'presentation' },
    '[data-sonner-toaster]': { role: 'presentation' },
    '[cmdk-list]:has([cmdk-empty])': { role: 'presentation' },
    '[cmdk-list]:not(:has([cmdk-empty]))': { role: 'listbox' },
    '#thread-options': { role: 'button', tabindex: '0', 'aria-label': t('More about this conversation') },
  };
  // What the page says in English alone, about files that it does not take.
  const SAID = [
    [/^File type must be/, t('This kind of file cannot be sent to this assistant.')],
    [/^File is larger than/, t('This file is too large to be sent.')],
    [/^Too many files/, t('These are more files than can be sent at once.')],
  ];
  const NEARLY_PX = 48;
  const NOT_FOUND = t('Nothing was found');

  function name() {
    for (const [which, label] of Object.entries(NAMES)) {
      for (const part of document.querySelectorAll(which)) {
        // One that has a name may be another part by now: the page makes of Send its Stop.
        if (part.getAttribute('aria-label') !== label) part.setAttribute('aria-label', label);
      }
    }
    for (const [which, label] of Object.entries(PICTURES)) {
      for (const picture of document.querySelectorAll(`button > ${which}`)) {
        const part = picture.parentElement;
        if (part.textContent.trim()) part.removeAttribute('aria-label');
        else if (part.getAttribute('aria-label') !== label) part.setAttribute('aria-label', label);
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

  function translate() {
    for (const title of document.querySelectorAll('[data-sonner-toast] [data-title]')) {
      const said = SAID.find(([english]) => english.test(title.textContent));
      if (said) title.textContent = said[1];
    }
  }

  // Where nothing was found the page says that there are no conversations.
  function drawSearch() {
    const search = document.querySelector('[role="dialog"] [cmdk-input]');
    const empty = search && document.querySelector('[role="dialog"] [cmdk-empty]');
    if (!empty) return;
    if (search.value.trim()) empty.dataset.said = NOT_FOUND;
    else delete empty.dataset.said;
  }

  // The way down is offered where something is below, and not the room that the page leaves there.
  function drawDown() {
    const arrow = document.querySelector('button:has(> .lucide-arrow-down)');
    const said = document.querySelectorAll('[data-step-type]');
    const last = said[said.length - 1];
    if (!arrow || !last) return;
    const end = arrow.parentElement.getBoundingClientRect().bottom;
    arrow.dataset.needless = String(last.getBoundingClientRect().bottom <= end + NEARLY_PX);
  }

  // The first Escape closes what is told beside an entry, and only another one, once that has faded, the
  // menu that the entry belongs to.
  function escape(event) {
    if (event.key !== 'Escape' || !event.isTrusted) return;
    const menu = document.querySelector('[role="menu"][data-state="open"], [role="listbox"][data-state="open"]');
    if (!menu) return;
    for (const pauseMs of [50, 200, 400]) {
      setTimeout(() => {
        if (!menu.isConnected || menu.dataset.state !== 'open') return;
        document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
      }, pauseMs);
    }
  }

  // What a menu or a dialog hides from those who do not see it must not take the focus either.
  function hideWhole() {
    for (const part of document.querySelectorAll('[data-aria-hidden="true"], [inert]')) {
      const isHidden = part.dataset.ariaHidden === 'true';
      if (part.inert !== isHidden) part.inert = isHidden;
    }
  }

  new MutationObserver(hideWhole).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ['data-aria-hidden'],
    subtree: true,
  });
  document.addEventListener('keydown', escape);
  document.addEventListener('scroll', drawDown, true);
  let isDue = false;
  new MutationObserver(() => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      name();
      translate();
      drawSearch();
      drawDown();
    });
  }).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
  name();
})();
