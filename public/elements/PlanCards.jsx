// Plans side by side: what each gives, costs and covers, and its button. Drawn inside the catalogue
// and the top-up card. How an order goes on is known to public/shop.js, and is said here in words.
import { useEffect, useId, useRef, useState } from 'react';
import { Button } from '@/components/ui/button';
import { Input } from '@/components/ui/input';
import { Check, ExternalLink, Loader2, Ticket } from 'lucide-react';

const { t } = window.words;
const LABELS = { try: t('Try it free'), free: t('Get it free'), had: t('Already used') };

export default function PlanCards() {
  const shop = window.farebox;
  const [, draw] = useState(0);
  useEffect(() => shop.listen(() => draw((number) => number + 1)), []);
  const known = shop.known();
  if (!known) return null;
  const titles = Object.fromEntries(known.offerings.map((one) => [one.slug, one.title]));
  const plans = props.plans
    .map((slug) => known.plans.find((plan) => plan.slug === slug))
    .filter(Boolean);

  return (
    <div className="farebox-plans">
      {plans.length ? (
        <ul className="farebox-plan-list">
          {plans.map((plan) => (
            <Plan key={plan.slug} plan={plan} titles={titles} />
          ))}
        </ul>
      ) : (
        <p className="farebox-quiet">{t('No plan that covers this is for sale right now.')}</p>
      )}
      <Voucher />
    </div>
  );
}

function Plan({ plan, titles }) {
  const shop = window.farebox;
  const id = useId();
  const order = shop.order(plan.slug);
  const isBusy = shop.isBusy(plan.slug);
  const isDone = order && order.phase === 'fulfilled';
  const { price } = plan;
  const buys = isDone ? t('Buy again for {price}', { price }) : t('Buy for {price}', { price });
  const covers = plan.covers.map((slug) => titles[slug]).filter(Boolean);

  return (
    <li className="farebox-plan" data-plan={plan.slug} aria-labelledby={id}>
      <div className="farebox-plan-head">
        <h4 id={id}>{plan.title}</h4>
        <span className="farebox-plan-price">{price}</span>
      </div>
      <p className="farebox-plan-gives">{plan.gives}</p>
      <p className="farebox-quiet">{plan.description || plan.terms}</p>
      <p className="farebox-quiet">
        <span className="farebox-covers">{t('Covers')}</span> {covers.join(', ')}
      </p>
      {plan.note ? <p className="farebox-note">{plan.note}</p> : null}
      <div className="farebox-plan-act">
        {plan.way === 'ask' ? (
          <p className="farebox-state">
            {t('Ask the operator of this site to add it to your account.')}
          </p>
        ) : (
          <Button
            variant={isDone ? 'outline' : 'default'}
            disabled={isBusy || plan.way === 'had'}
            aria-describedby={order ? `${id}-state` : undefined}
            onClick={() => shop.buy(plan)}
          >
            {isBusy ? <Loader2 className="h-4 w-4 animate-spin" aria-hidden="true" /> : null}
            {LABELS[plan.way] || buys}
          </Button>
        )}
        <div role="status" id={`${id}-state`}>
          {isDone ? (
            <p className="farebox-done">
              <Check className="h-4 w-4 shrink-0" aria-hidden="true" /> {order.words}
            </p>
          ) : order ? (
            <p className="farebox-state">{order.words}</p>
          ) : null}
          {order && order.phase === 'waiting' && order.payUrl ? (
            <p className="farebox-ways">
              <a className="farebox-link" href={order.payUrl} target="farebox-pay" rel="opener">
                {t('Open the payment page')} <ExternalLink className="h-3 w-3" aria-hidden="true" />
              </a>
              <button type="button" className="farebox-link" onClick={() => shop.cancel(plan.slug)}>
                {t('Cancel')}
              </button>
            </p>
          ) : null}
        </div>
      </div>
    </li>
  );
}

function Voucher() {
  const shop = window.farebox;
  const id = useId();
  const field = useRef(null);
  const view = shop.view(`voucher:${props.place}`, { isOpen: false, words: '', isBusy: false });

  function show(change) {
    Object.assign(view, change);
    shop.tell();
  }

  // Only when it is asked for: a card that is drawn anew must not take what somebody is typing.
  function open() {
    show({ isOpen: true });
    setTimeout(() => field.current && field.current.focus());
  }

  async function redeem(event) {
    event.preventDefault();
    if (view.isBusy) return;
    const code = field.current.value;
    show({ isBusy: true, words: '' });
    const told = await shop.redeem(code);
    show({ isBusy: false, words: told.words, isDone: told.isDone });
  }

  if (!view.isOpen) {
    return (
      <button type="button" className="farebox-link" onClick={open}>
        <Ticket className="h-4 w-4" aria-hidden="true" /> {t('Redeem a voucher')}
      </button>
    );
  }
  return (
    <form className="farebox-voucher" onSubmit={redeem}>
      <label htmlFor={id}>{t('Voucher code')}</label>
      <div className="farebox-voucher-row">
        <Input
          id={id}
          ref={field}
          autoComplete="off"
          spellCheck={false}
          maxLength={64}
          aria-describedby={`${id}-state`}
        />
        <Button type="submit" variant="outline" disabled={view.isBusy}>
          {view.isBusy ? <Loader2 className="h-4 w-4 animate-spin" aria-hidden="true" /> : null}
          {t('Redeem')}
        </Button>
      </div>
      <p role="status" id={`${id}-state`} className={view.isDone ? 'farebox-done' : 'farebox-state'}>
        {view.words}
      </p>
    </form>
  );
}
