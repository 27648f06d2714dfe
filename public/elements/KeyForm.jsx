// The only place where a builder's key is entered. It goes straight to the vault in one request of
// its own: never into the chat, the socket, an element's props or the page's storage.
import { useEffect, useId, useRef, useState } from 'react';
import { Button } from '@/components/ui/button';
import { Input } from '@/components/ui/input';
import { KeyRound, Loader2, ShieldCheck, TriangleAlert } from 'lucide-react';

const CARD = {
  border: '1px solid hsl(var(--border))',
  background: 'hsl(var(--card))',
  color: 'hsl(var(--card-foreground))',
  borderRadius: 12,
  padding: 16,
  maxWidth: 520,
  boxSizing: 'border-box',
};

export default function KeyForm() {
  const id = useId(); // several forms of one draft may be on the page
  const field = useRef(null);
  const place = useRef(null);
  const [isNewest, setNewest] = useState(true);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const [saved, setSaved] = useState(null);
  const [again, setAgain] = useState(false);
  const last4 = saved ? saved.last4 : props.last4;
  const unverified = saved ? saved.state === 'unreachable' : props.unverified;

  // Each prompt at this step brings a form; only the last one on the page is to be filled in.
  useEffect(() => {
    const look = () => {
      const all = document.querySelectorAll('[data-farebox-key]');
      setNewest(all[all.length - 1] === place.current);
    };
    window.addEventListener('farebox:key-form', look);
    window.dispatchEvent(new Event('farebox:key-form'));
    return () => {
      window.removeEventListener('farebox:key-form', look);
      window.dispatchEvent(new Event('farebox:key-form'));
    };
  }, []);

  async function send(event) {
    event.preventDefault();
    const key = field.current.value;
    field.current.value = '';
    if (!key.trim() || busy) return;
    setBusy(true);
    setProblem('');
    try {
      const response = await fetch(`/api/v1/drafts/${props.draftId}/key`, {
        method: 'POST',
        credentials: 'include',
        headers: { 'Content-Type': 'application/json', 'X-Requested-With': 'farebox' },
        body: JSON.stringify({ key }),
      });
      const answer = await response.json();
      if (!response.ok) setProblem(answer.detail || 'That did not work. Please try again.');
      else if (answer.state === 'rejected') setProblem(answer.sentence);
      else await stored(answer);
    } catch {
      setProblem('The host could not be reached. Nothing was stored; please try again.');
    } finally {
      setBusy(false);
    }
  }

  async function stored(answer) {
    setSaved(answer);
    setAgain(false);
    try {
      // A form that was drawn before the first message has no row to update; that is fine.
      await updateElement({
        ...props,
        isStored: true,
        isStored: true,
        last4: answer.last4,
        unverified: answer.state === 'unreachable',
      });
    } catch {}
    await callAction({ name: 'setup_key_saved', payload: { draft: props.draftId } });
  }

  return (
    <div ref={place} data-farebox-key="">
      {isNewest ? live() : <p className="text-xs text-muted-foreground">The key form is below.</p>}
    </div>
  );

  function live() {
    return (saved || props.isStored) && !again ? storedKey() : form();
  }

  function storedKey() {
    const Icon = unverified ? TriangleAlert : ShieldCheck;
    const colour = unverified ? 'hsl(38 92% 45%)' : 'hsl(152 60% 38%)';
    return (
      <div style={CARD} className="flex items-center gap-3 text-sm" data-farebox="key-stored">
        <Icon className="h-5 w-5 shrink-0" style={{ color: colour }} aria-hidden="true" />
        <div className="flex-1 min-w-0">
          <div className="font-medium">
            {props.isService ? 'Credential' : 'Key'} {last4 ? `ending in …${last4} ` : ''}stored
          </div>
          <div className="text-xs text-muted-foreground">
            {unverified
              ? 'Sealed, but not verified: the upstream could not be reached.'
              : props.isService
                ? 'Sealed, and sent with each call. Nobody can read it back.'
                : 'Checked once with the upstream and sealed. Nobody can read it back.'}
          </div>
        </div>
        <Button variant="ghost" size="sm" onClick={() => setAgain(true)}>
          Replace
        </Button>
      </div>
    );
  }

  function form() {
    return (
      <form style={CARD} onSubmit={send} autoComplete="off" data-farebox="key-form">
        <label
          htmlFor={id}
          className="flex items-center gap-2 text-sm font-medium"
        >
          <KeyRound className="h-4 w-4 shrink-0" aria-hidden="true" />
          {props.isService ? 'The credential that your service accepts' : 'Your key for the upstream'}
        </label>
        <div className="flex flex-wrap gap-2 mt-2">
          <Input
            id={id}
            ref={field}
            type="password"
            name="upstream-key"
            autoComplete="off"
            data-1p-ignore="true"
            data-lpignore="true"
            spellCheck={false}
            maxLength={512}
            placeholder={props.isService ? 'sent as a bearer token' : 'sk-…'}
            disabled={busy}
            aria-describedby={`${id}-note`}
            aria-invalid={problem !== ''}
            style={{ flex: '1 1 200px', minWidth: 0 }}
          />
          <Button type="submit" disabled={busy} style={{ flex: '0 0 auto' }}>
            {busy && <Loader2 className="h-4 w-4 animate-spin" aria-hidden="true" />}
            {busy ? 'Storing…' : props.isService ? 'Store' : 'Check and store'}
          </Button>
        </div>
        {problem && (
          <p
            role="alert"
            className="text-sm mt-2"
            style={{ color: 'hsl(var(--destructive))', overflowWrap: 'anywhere' }}
          >
            {problem}
          </p>
        )}
        <p id={`${id}-note`} className="text-xs text-muted-foreground mt-2">
          {props.isService
            ? 'It goes straight to the vault and is stored sealed. '
            : 'It goes straight to the vault, is checked once with a harmless call and stored sealed. '}
          It never becomes part of the chat.
        </p>
      </form>
    );
  }
}
