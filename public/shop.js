// What is on offer, and buying it, for the cards in the page (public/elements). No drawing here.
//
// Chainlit builds its cards anew each time an answer begins or ends, and with that they forget what
// they showed. So what must outlast that is kept here: the catalogue as it was last told, orders
// under way by plan, and what a card had open. Every price and state is the server's; a message
// from the window in which somebody pays says only that it is time to ask again.
(() => {
  'use strict';

  const { t, day } = window.words;
  const ASK_AGAIN_MS = 2000;
  const GIVE_UP_MS = 30 * 60 * 1000;
  const BUSY = new Set(['asking', 'waiting', 'settling']);
  const WORDS = {
    asking: t('One moment…'),
    waiting: t('Waiting for your payment in the other window.'),
    settling: t('Paid. Adding it to your account…'),
    fulfilled: t('It is yours.'),
    cancelled: t('Declined or cancelled, and nothing was charged. You can try again.'),
    expired: t('The payment page has expired, and nothing was charged. You can start again.'),
    refunded: t('This order was refunded.'),
    unsure: t('The host could not be reached. Try again: the same order is used, so you pay once.'),
    offline: t('The host could not be reached. Please try again.'),
    noCode: t('Enter the code of your voucher.'),
    broken: t('That did not work. Please try again.'),
  };
  const PHASES = { created: 'waiting', pending: 'settling', paid: 'settling' };

  const listeners = new Set();
  const orders = new Map();
  const views = new Map();
  const sources = new Map();
  let shelf = null;
  let etag = null;
  let asking = null;
  let isBehind = false;

  const tell = () => [...listeners].forEach((listener) => listener());

  function key() {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16)); // a plain-HTTP address has no more
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  function ask(path, body) {
    const how = { credentials: 'same-origin', headers: { Accept: 'application/json' } };
    if (body === undefined) return fetch(path, how);
    how.headers['X-Requested-With'] = 'farebox';
    how.headers['Content-Type'] = 'application/json';
    return fetch(path, { ...how, method: 'POST', body: JSON.stringify(body) });
  }

  // The catalogue; asked while it is being asked, it is asked once more.
  async function refresh() {
    if (asking) {
      isBehind = true;
      return asking;
    }
    asking = (async () => {
      do {
        isBehind = false;
        const headers = { Accept: 'application/json', ...(etag ? { 'If-None-Match': etag } : {}) };
        const answer = await fetch('/api/v1/catalogue', { credentials: 'same-origin', headers });
        if (answer.status === 401) window.location.assign('/login');
        if (answer.ok) {
          etag = answer.headers.get('ETag');
          shelf = await answer.json();
          tell();
        }
      } while (isBehind);
      return shelf;
    })();
    try {
      return await asking;
    } finally {
      asking = null;
    }
  }

  function note(plan, change) {
    orders.set(plan, { ...orders.get(plan), ...change });
    tell();
  }

  // A double click finds the first one under way; an attempt that may have arrived keeps its name.
  async function buy(plan) {
    const before = orders.get(plan.slug) || {};
    if (BUSY.has(before.phase)) return;
    // Opened here, inside the click: later a browser would take it for a pop-up.
    const pane = plan.way === 'pay' ? window.open('about:blank', 'farebox-pay') : null;
    const name = before.phase === 'unsure' ? before.key : key();
    orders.set(plan.slug, { phase: 'asking', words: WORDS.asking, key: name });
    tell();
    try {
      const answer = await ask('/api/v1/orders', { plan: plan.slug, key: name });
      const order = await answer.json();
      if (answer.ok) return take(plan.slug, order, pane);
      note(plan.slug, { phase: 'failed', words: order.detail || WORDS.broken });
    } catch {
      note(plan.slug, { phase: 'unsure', words: WORDS.unsure });
    }
    if (pane) pane.close();
  }

  function take(plan, order, pane) {
    const state = String(order.state).toLowerCase();
    const needsPaying = state === 'created' && order.pay_url;
    if (needsPaying && pane) pane.location.replace(order.pay_url);
    else if (pane) pane.close();
    note(plan, { order: order.id, title: order.title, payUrl: order.pay_url, since: Date.now() });
    settle(plan, state);
  }

  function settle(plan, state) {
    const phase = PHASES[state] || state;
    note(plan, { phase, words: WORDS[phase] || WORDS.broken });
    if (BUSY.has(phase)) return later(plan);
    if (phase === 'fulfilled') {
      announce(orders.get(plan).title);
      refresh().catch(() => {});
    }
  }

  const yours = (title) => t('Done: {title} is yours.', { title });

  function announce(title) {
    window.dispatchEvent(new CustomEvent('farebox:receipt')); // the badge asks for the balance
    window.dispatchEvent(new CustomEvent('farebox:bought', { detail: yours(title) }));
  }

  function later(plan) {
    const order = orders.get(plan);
    clearTimeout(order.timer);
    order.timer = setTimeout(() => look(plan), ASK_AGAIN_MS);
  }

  async function look(plan) {
    const known = orders.get(plan);
    if (!known || !known.order || !BUSY.has(known.phase)) return;
    if (document.hidden) return; // asked when the page is looked at again
    if (Date.now() - known.since > GIVE_UP_MS) return;
    try {
      const answer = await ask(`/api/v1/orders/${known.order}`);
      const order = await answer.json();
      const current = orders.get(plan);
      if (!current || current.order !== known.order || !BUSY.has(current.phase)) return;
      if (answer.ok) settle(plan, String(order.state).toLowerCase());
      else note(plan, { phase: 'failed', words: order.detail || WORDS.broken });
    } catch {
      later(plan);
    }
  }

  // Its buyer has changed their mind; if it was paid meanwhile, that is what is told.
  async function cancel(plan) {
    const { order } = orders.get(plan) || {};
    if (!order) return;
    try {
      await ask(`/api/v1/orders/${order}/cancel`, {});
    } catch {
      // What became of it is asked in any case.
    }
    await look(plan);
  }

  const lookAtAll = () => [...orders.keys()].forEach(look);

  async function redeem(code) {
    if (!code.trim()) return { words: WORDS.noCode };
    try {
      const answer = await ask('/api/v1/vouchers/redeem', { code: code.trim() });
      const told = await answer.json();
      if (!answer.ok) return { words: told.detail || WORDS.broken };
      if (!told.is_new) {
        const facts = { title: told.title, day: day(told.redeemed_at) };
        return { words: t('You redeemed this voucher already, on {day}, for {title}. Nothing was added now.', facts) };
      }
      announce(told.title);
      await refresh();
      return { isDone: true, words: yours(told.title) };
    } catch {
      return { words: WORDS.offline };
    }
  }

  // The source of a card that is drawn inside another.
  function source(name) {
    if (!sources.has(name)) {
      const entry = { text: '' };
      sources.set(name, entry);
      fetch(`/public/elements/${name}.jsx`)
        .then((answer) => answer.text())
        .then((text) => {
          entry.text = text;
          tell();
        })
        .catch(() => sources.delete(name));
    }
    return sources.get(name).text;
  }

  // A hook for cards: what brings the picker up to date with what was bought. Chainlit keeps the
  // assistants in `configState`, and in a cache from which it fills that again. Its picker cannot
  // go from one entry, where it is not drawn, to two: then its page is drawn anew from the cache.
  function usePicker({ configState, useApi, useChatSession }, { useRecoilState }) {
    const [config, setConfig] = useRecoilState(configState);
    const { chatProfile } = useChatSession();
    const profile = chatProfile ? `&chat_profile=${encodeURIComponent(chatProfile)}` : '';
    const path = `/project/settings?language=${navigator.language || 'en-US'}${profile}`;
    const quiet = { revalidateOnMount: false, revalidateOnFocus: false, revalidateIfStale: false };
    const { mutate } = useApi(path, quiet);
    return async () => {
      const answer = await ask(path);
      if (!answer.ok) return;
      const told = await answer.json();
      await mutate(told, { revalidate: false });
      const isFirst = config && config.chatProfiles.length < 2 && told.chatProfiles.length > 1;
      setConfig(isFirst ? undefined : told);
    };
  }

  if ('BroadcastChannel' in window) new BroadcastChannel('farebox').onmessage = lookAtAll;
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    lookAtAll();
    if (shelf) refresh().catch(() => {});
  });

  window.farebox = {
    ask,
    buy,
    cancel,
    redeem,
    refresh,
    usePicker,
    source,
    known: () => shelf,
    order: (plan) => orders.get(plan) || null,
    isBusy: (plan) => BUSY.has((orders.get(plan) || {}).phase),
    view: (id, first) => views.get(id) || views.set(id, first).get(id),
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tell,
  };
})();
