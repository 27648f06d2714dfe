// Under a message that was refused for want of a plan or of credits: the ways to get some, and then
// one button that sends it. The server keeps the message; `props` names the refusal and nothing
// else. Whether it may be sent, and whether it was, is asked each time this is drawn.
import { useEffect, useMemo, useRef, useState } from 'react';
import * as recoil from 'recoil';
import * as client from '@chainlit/react-client';
import { Button } from '@/components/ui/button';
import { Renderer } from '@/components/renderer';
import { Check, Loader2, SendHorizontal } from 'lucide-react';

const { t } = window.words;

export default function TopUp() {
  const shop = window.farebox;
  const renewPicker = shop.usePicker(client, recoil);
  const view = shop.view(props.refusal, { kept: null, isSending: false, words: '' });
  const sessionId = recoil.useRecoilValue(client.sessionIdState);
  const [, draw] = useState(0);
  const button = useRef(null);
  const isGone = useRef(false);

  function show(change) {
    Object.assign(view, change);
    shop.tell();
  }

  // As Chainlit's own `callAction`, which would also show what went wrong in a box of its own.
  async function press(name, agreed = {}) {
    const action = { name, payload: { refusal: props.refusal, ...agreed } };
    const answer = await shop.ask('/project/action', { sessionId, action });
    if (!answer.ok) throw new Error(String(answer.status));
    return (await answer.json()).response;
  }

  // The card may be drawn long before its page is connected: then nobody knows its chat session yet.
  async function look(pauseMs = 600) {
    try {
      show({ kept: await press('kept_look') });
    } catch {
      if (pauseMs < 10000 && !isGone.current) setTimeout(() => look(pauseMs * 1.2), pauseMs);
    }
  }

  useEffect(() => {
    shop.source('PlanCards');
    shop.refresh().catch(() => {});
    look();
    const bought = async () => {
      await look();
      setTimeout(() => button.current && button.current.focus()); // it is drawn by then
      renewPicker().catch(() => {}); // at the latest it is there when the page is opened again
    };
    const seen = () => document.hidden || look();
    window.addEventListener('farebox:bought', bought);
    document.addEventListener('visibilitychange', seen);
    const leave = shop.listen(() => draw((number) => number + 1));
    return () => {
      isGone.current = true;
      window.removeEventListener('farebox:bought', bought);
      document.removeEventListener('visibilitychange', seen);
      leave();
    };
  }, []);

  async function send() {
    if (view.isSending) return;
    show({ isSending: true, words: '' });
    try {
      // At the price on the button, or not at all: then the card says the new one.
      show({ words: (await press('kept_send', { price: view.kept.amount })).sentence });
      await look();
    } catch {
      show({ words: t('The host could not be reached. Try again: it is sent and paid for once.') });
    } finally {
      show({ isSending: false });
    }
  }

  const { kept } = view;
  const known = shop.known();
  const one = kept && known && known.offerings.find((offering) => offering.slug === kept.offering);
  const plans = one ? one.plans : [];
  const inner = useMemo(() => ({ plans, place: props.refusal }), [plans.join(' ')]);
  const source = shop.source('PlanCards');
  if (!kept || !known) return <div className="farebox-topup farebox-topup-empty" aria-busy="true" />;
  if (kept.state !== 'kept') {
    return (
      <p className="farebox-topup-over" data-farebox="topup-over">
        <Check className="h-4 w-4 shrink-0" aria-hidden="true" /> {kept.sentence}
      </p>
    );
  }
  return (
    <section className="farebox-topup" aria-label={t('Your message is kept')} data-farebox="topup">
      <div className="farebox-kept">
        <p className="farebox-quiet">{t('Kept for you')}</p>
        {kept.text ? <blockquote>{kept.text}</blockquote> : null}
        {kept.files.length ? (
          <p className="farebox-quiet">{t('With {files}', { files: kept.files.join(', ') })}</p>
        ) : null}
      </div>
      {kept.can_send ? (
        <div className="farebox-send">
          <Button ref={button} disabled={view.isSending} onClick={send}>
            {view.isSending ? (
              <Loader2 className="h-4 w-4 animate-spin" aria-hidden="true" />
            ) : (
              <SendHorizontal className="h-4 w-4" aria-hidden="true" />
            )}
            {kept.button}
          </Button>
          <span className="farebox-quiet">{kept.price}</span>
        </div>
      ) : kept.limit ? (
        <p className="farebox-quiet">
          {kept.limit.text}{' '}
          {kept.limit.href ? (
            <a className="farebox-link" href={kept.limit.href} target="_blank" rel="noopener">
              {kept.limit.label}
            </a>
          ) : null}
        </p>
      ) : source ? (
        <Renderer sourceCode={source} props={inner} />
      ) : null}
      <p role="status" className="farebox-state">
        {view.words}
      </p>
    </section>
  );
}
