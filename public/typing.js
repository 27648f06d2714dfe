// What is being written: not more than is taken, and kept where its conversation is gone.
//
// What is longer than is taken is stopped here, before the page draws it and empties the composer;
// the server looks for itself. A conversation that was deleted, here or in another window, is left for
// a new one with whom it was with, and what had been typed goes along.
(() => {
  'use strict';

  const { t, number } = window.words;
  const NOTE = 'farebox-note';
  const DRAFT = 'farebox-draft';
  const OURS = ['home', 'setup-bot'];
  const kept = sessionStorage.getItem(DRAFT);
  let most = Infinity;
  let isRestored = !kept;

  const input = () => document.getElementById('chat-input');

  function say(text) {
    const composer = document.getElementById('message-composer');
    let note = document.getElementById(NOTE);
    if (!composer || !text) {
      if (note) note.remove();
      return;
    }
    if (!note) {
      note = document.createElement('p');
      note.id = NOTE;
      note.setAttribute('role', 'alert');
      composer.prepend(note);
    }
    if (note.textContent !== text) note.textContent = text;
  }

  function excess() {
    const length = input() ? [...input().value].length : 0; // as the server counts: an emoji is one
    if (length <= most) return '';
    const facts = { number: number(length), most: number(most) };
    return t('This has {number} characters; at most {most} can be sent at once. Send it in parts.', facts);
  }

  function look(event) {
    if (event.target !== input()) return;
    say(excess());
  }

  // Ahead of the page's own handlers, which would draw it and empty the composer.
  function hold(event) {
    const isEnter = event.type === 'keydown' && event.key === 'Enter' && !event.shiftKey;
    const isSending = isEnter ? event.target === input() : event.target.closest?.('#chat-submit');
    if (event.type === 'keydown' && !isEnter) return;
    if (!isSending || !excess()) return;
    event.preventDefault();
    event.stopPropagation();
    say(excess());
    input().focus();
  }

  // React keeps the value of its input; it hears of a change only by the setter of the element itself.
  function write(text) {
    const place = input();
    if (!place) return false;
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(place, text);
    place.dispatchEvent(new Event('input', { bubbles: true }));
    place.focus();
    return true;
  }

  function leave({ text, files, profile }) {
    const typed = [text, input() ? input().value : ''].filter((part) => part && part.trim()).join('\n\n');
    const said = files
      ? t('That conversation was deleted. What you wrote was not sent, and is here; its files are not.')
      : t('That conversation was deleted. What you wrote was not sent, and is here.');
    if (typed || files) sessionStorage.setItem(DRAFT, JSON.stringify({ typed, said, profile }));
    location.assign(OURS.includes(profile) ? '/' : `/a/${encodeURIComponent(profile)}`);
  }

  // What was written to one is not put before another.
  function restore(profile) {
    const draft = JSON.parse(kept);
    if (draft.profile !== profile || !write(draft.typed)) return;
    isRestored = true;
    sessionStorage.removeItem(DRAFT);
    say(draft.said);
  }

  window.addEventListener('message', (event) => {
    if (event.data && event.data.farebox_gone) leave(event.data);
  });
  window.typing = {
    // How many characters whoever is spoken to takes; told whenever the page has changed.
    allow: (characters, profile) => {
      most = characters;
      if (!isRestored) restore(profile);
    },
  };
  document.addEventListener('input', look);
  document.addEventListener('keydown', hold, true);
  document.addEventListener('click', hold, true);
})();
