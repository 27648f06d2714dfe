// What our scripts and cards say, in the language of the page. English stands where it is said; the
// page carries what it is in another language (chat_ui/mount.py), and what is missing stays English.
//
// Being the first script, it also sees to it that the page hears itself alone: Chainlit's passes on to the
// server whatever any window posts to this one, such as the one that opened it.
(() => {
  'use strict';

  window.addEventListener('message', (event) => event.source === window || event.stopImmediatePropagation(), true);

  const told = document.getElementById('farebox-words');
  const words = told ? JSON.parse(told.textContent) : {};
  const language = document.documentElement.lang || 'en';
  const culture = language === 'en' ? 'en-GB' : language;
  const filled = (sentence, facts = {}) =>
    sentence.replace(/\{(\w+)\}/g, (place, name) => (name in facts ? facts[name] : place));

  window.words = {
    // A sentence with its {facts}; `tn` says it of one or of many.
    t: (sentence, facts) => filled(words[sentence] || sentence, facts),
    tn: (one, many, number, facts) => {
      const forms = words[one] || [one, many];
      return filled(number === 1 ? forms[0] : forms[1], facts);
    },
    number: (amount) => Number(amount).toLocaleString(culture, { maximumFractionDigits: 3 }),
    day: (moment) =>
      new Date(moment).toLocaleDateString(culture, { day: 'numeric', month: 'short', timeZone: 'UTC' }),
  };
})();
