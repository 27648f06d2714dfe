// What pages do without, where there is no script: times in the reader's own zone, and buttons that copy.
(() => {
  'use strict';

  const language = document.documentElement.lang;
  const culture = language === 'en' ? 'en-GB' : language;
  const DAY = { day: 'numeric', month: 'short', year: 'numeric' };
  const STYLES = {
    moment: { ...DAY, hour: '2-digit', minute: '2-digit' },
    date: DAY,
    long_day: { ...DAY, month: 'long' },
  };
  const COPIED_FOR_MS = 2000;

  for (const time of document.querySelectorAll('time[data-as]')) {
    time.title = time.textContent; // in UTC
    time.textContent = new Date(time.dateTime).toLocaleString(culture, STYLES[time.dataset.as]);
  }

  // Over plain HTTP a page may not write to the clipboard itself, but a browser still copies what is chosen.
  async function copy(part) {
    part.select();
    try {
      await navigator.clipboard.writeText(part.value);
    } catch {
      document.execCommand('copy');
    }
  }

  for (const part of document.querySelectorAll('textarea[data-copy]')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'quiet calm copy';
    button.textContent = part.dataset.copy;
    button.setAttribute('aria-live', 'polite');
    button.addEventListener('click', async () => {
      await copy(part);
      button.textContent = part.dataset.copied;
      setTimeout(() => (button.textContent = part.dataset.copy), COPIED_FOR_MS);
    });
    part.after(button);
  }
})();
