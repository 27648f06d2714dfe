// The catalogue: everything on offer as cards, and one of them opened with its plans. What it shows
// is asked for when it is drawn; `props` only says which card or cards this one is about.
import { useEffect, useMemo, useRef, useState } from 'react';
import * as recoil from 'recoil';
import * as client from '@chainlit/react-client';
import { Button } from '@/components/ui/button';
import { Input } from '@/components/ui/input';
import { Renderer } from '@/components/renderer';
import { ArrowLeft, ArrowRight, Check, Copy, Search, Wallet } from 'lucide-react';

const { t, tn } = window.words;
const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const haystack = (one) => [one.title, one.description, ...one.tags].join(' ').toLowerCase();
// As chat_ui.cards.speaker names an assistant's picture.
const tile = (title) =>
  `/avatars/${encodeURIComponent(title.replace(/[/?#%\\]/g, ' ').split(/\s+/).filter(Boolean).join(' '))}`;
const inAddress = () => new URLSearchParams(window.location.search).get('open');

function address(slug) {
  const at = new URL(window.location.href);
  if (slug) at.searchParams.set('open', slug);
  else at.searchParams.delete('open');
  window.history.replaceState(window.history.state, '', `${at.pathname}${at.search}`);
}

export default function Catalogue() {
  const shop = window.farebox;
  const renewPicker = shop.usePicker(client, recoil);
  const { setChatProfile } = client.useChatSession();
  const { clear } = client.useChatInteract();
  const isWhole = !props.slugs;
  const view = shop.view(props.view, { text: '', tag: '', slug: isWhole ? inAddress() : null });
  const place = useRef(null);
  const [, draw] = useState(0);
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    shop.source('PlanCards');
    shop.refresh().catch(() => setFailed(true));
    const bought = async ({ detail }) => {
      show({ done: detail });
      await renewPicker().catch(() => {}); // at the latest it is there when the page is reopened
      // The page may be drawn anew meanwhile, and more than once: what has the focus is gone then.
      show({ focusUntil: Date.now() + 1500 });
      setTimeout(shop.tell, 300);
    };
    window.addEventListener('farebox:bought', bought);
    const leave = shop.listen(() => draw((number) => number + 1));
    return () => {
      window.removeEventListener('farebox:bought', bought);
      leave();
    };
  }, []);

  function show(change) {
    Object.assign(view, change);
    shop.tell();
  }

  function look(slug, back) {
    show({ slug, back, done: '' });
    if (isWhole) address(slug);
    setTimeout(() => {
      const wanted = slug ? '[data-farebox-title]' : `[data-look="${back}"]`;
      const found = place.current && place.current.querySelector(wanted);
      if (found) found.focus({ preventScroll: !slug });
      if (slug && place.current) place.current.scrollIntoView({ block: 'nearest' });
    });
  }

  function open(one) {
    if (one.kind !== 'assistant') return look(one.slug, one.slug);
    setChatProfile(one.slug);
    clear();
    window.history.pushState(null, '', '/');
    window.dispatchEvent(new PopStateEvent('popstate'));
  }

  const known = shop.known();
  if (!known) return <Waiting failed={failed} again={() => location.reload()} />;
  const chosen = view.slug && known.offerings.find((one) => one.slug === view.slug);
  return (
    <div className="farebox-shop" data-farebox="catalogue" ref={place}>
      {chosen ? (
        <Opened
          one={chosen}
          place={props.view}
          view={view}
          back={() => look(null, chosen.slug)}
          open={open}
        />
      ) : (
        <Shelf known={known} view={view} show={show} look={look} open={open} />
      )}
    </div>
  );
}

function Waiting({ failed, again }) {
  if (failed) {
    return (
      <p className="farebox-quiet" role="alert">
        {t('The catalogue could not be loaded.')}{' '}
        <button type="button" className="farebox-link" onClick={again}>
          {t('Try again')}
        </button>
      </p>
    );
  }
  return (
    <div className="farebox-shop" aria-busy="true" role="group" aria-label={t('Loading the catalogue')}>
      <div className="farebox-card-list" aria-hidden="true">
        {[1, 2, 3, 4].map((number) => (
          <div key={number} className="farebox-card farebox-card-empty" />
        ))}
      </div>
    </div>
  );
}

function Shelf({ known, view, show, look, open }) {
  const offered = props.slugs
    ? props.slugs.map((slug) => known.offerings.find((one) => one.slug === slug)).filter(Boolean)
    : known.offerings;
  const wanted = wordsOf(view.text);
  const found = offered.filter(
    (one) =>
      (!view.tag || one.tags.includes(view.tag)) &&
      wanted.every((word) => haystack(one).includes(word))
  );
  return (
    <>
      {props.slugs ? null : <Find known={known} view={view} show={show} number={found.length} />}
      {found.length ? (
        <ul className="farebox-card-list">
          {found.map((one) => (
            <Card key={one.slug} one={one} look={look} open={open} />
          ))}
        </ul>
      ) : (
        <div className="farebox-empty">
          <p>
            {known.offerings.length ? t('Nothing here matches that.') : t('Nothing is on offer yet.')}
          </p>
          {known.offerings.length ? (
            <Button variant="outline" size="sm" onClick={() => show({ text: '', tag: '' })}>
              {t('Show everything')}
            </Button>
          ) : null}
        </div>
      )}
    </>
  );
}

function Find({ known, view, show, number }) {
  return (
    <div className="farebox-find" role="search">
      <div className="farebox-find-row">
        <div className="farebox-search">
          <Search className="h-4 w-4" aria-hidden="true" />
          <Input
            type="search"
            aria-label={t('Search assistants and services')}
            placeholder={t('Search')}
            value={view.text}
            onChange={(event) => show({ text: event.target.value })}
          />
        </div>
        <Button variant="outline" onClick={() => sendUserMessage(t('Show my balance'))}>
          <Wallet className="h-4 w-4" aria-hidden="true" /> {t('My balance')}
        </Button>
      </div>
      {known.tags.length ? (
        <div className="farebox-tags" role="group" aria-label={t('Narrow down by tag')}>
          {known.tags.map((tag) => (
            <button
              key={tag}
              type="button"
              className="farebox-tag"
              aria-pressed={view.tag === tag}
              onClick={() => show({ tag: view.tag === tag ? '' : tag })}
            >
              {tag}
            </button>
          ))}
        </div>
      ) : null}
      <p className="farebox-hidden" role="status">
        {tn('{n} match', '{n} matches', number, { n: number })}
      </p>
    </div>
  );
}

function Face({ one, isTitle }) {
  return (
    <div className="farebox-face">
      <img src={tile(one.title)} alt="" width="44" height="44" />
      <div>
        <h3 {...(isTitle ? { tabIndex: -1, 'data-farebox-title': '' } : {})}>{one.title}</h3>
        <p className="farebox-kind">
          {one.kind === 'assistant' ? t('Assistant') : t('Service for programs')}
        </p>
      </div>
      {one.badge ? (
        <span className="farebox-badge" data-tone={one.badge.tone}>
          {one.badge.text}
        </span>
      ) : null}
    </div>
  );
}

function Card({ one, look, open }) {
  const known = window.farebox.known();
  const plans = one.plans.map((slug) => known.plans.find((plan) => plan.slug === slug)).filter(Boolean);
  const titles = plans.map((plan) => plan.title).join(', ');
  const canTry = plans.some((plan) => plan.way === 'try' || plan.way === 'free');
  const { title } = one;
  return (
    <li className="farebox-card" data-offering={one.slug}>
      <Face one={one} />
      <p className="farebox-about">{one.description}</p>
      <p className="farebox-price">
        <strong>{one.price}</strong>
        {one.buys ? <span>{one.buys}</span> : null}
      </p>
      <p className="farebox-in">
        {plans.length ? t('In {plans}', { plans: titles }) : t('No plan is for sale now')}
      </p>
      <div className="farebox-act">
        {one.is_mine && !one.is_paused ? (
          <>
            <Button size="sm" onClick={() => open(one)} aria-label={t('Open {title}', { title })}>
              {t('Open')}
            </Button>
            <Button
              size="sm"
              variant="ghost"
              data-look={one.slug}
              onClick={() => look(one.slug, one.slug)}
              aria-label={t('Plans for {title}', { title })}
            >
              {t('Plans')}
            </Button>
          </>
        ) : (
          <Button
            size="sm"
            variant={canTry ? 'default' : 'outline'}
            data-look={one.slug}
            onClick={() => look(one.slug, one.slug)}
            aria-label={canTry ? t('Try {title}', { title }) : t('Buy {title}', { title })}
          >
            {canTry ? t('Try it free') : t('Buy')}
          </Button>
        )}
        <span className="farebox-card-tags">
          {one.tags.slice(0, 3).join(' · ')}
        </span>
      </div>
    </li>
  );
}

function Opened({ one, place, view, back, open }) {
  const opens = useRef(null);
  const source = window.farebox.source('PlanCards');
  const inner = useMemo(() => ({ plans: one.plans, place }), [one.plans.join(' '), place]);
  const canOpen = one.is_mine && !one.is_paused && one.kind === 'assistant';
  useEffect(() => {
    // What was bought is one key away, unless somebody has gone on to something else by now.
    const { activeElement: at } = document;
    const isIdle = !at || at === document.body || at.id === 'chat-input';
    if (Date.now() < (view.focusUntil || 0) && isIdle && opens.current) opens.current.focus();
  });
  return (
    <section className="farebox-opened" aria-label={one.title} data-opened={one.slug}>
      <Button variant="ghost" size="sm" onClick={back}>
        <ArrowLeft className="h-4 w-4" aria-hidden="true" /> {t('All offers')}
      </Button>
      <Face one={one} isTitle />
      <p className="farebox-about-whole">{one.description}</p>
      <p className="farebox-price">
        <strong>{one.price}</strong>
        {one.buys ? <span>{one.buys}</span> : null}
      </p>
      <p role="status" className="farebox-done">
        {view.done ? <Check className="h-4 w-4 shrink-0" aria-hidden="true" /> : null} {view.done}
      </p>
      {canOpen ? (
        <Button ref={opens} onClick={() => open(one)}>
          {t('Open {title}', { title: one.title })} <ArrowRight className="h-4 w-4" aria-hidden="true" />
        </Button>
      ) : null}
      {one.proxy_url ? <Calling one={one} /> : null}
      <h4 className="farebox-part">{one.is_mine ? t('Get more') : t('Choose a plan')}</h4>
      {source ? <Renderer sourceCode={source} props={inner} /> : null}
    </section>
  );
}

function Calling({ one }) {
  const [isCopied, setCopied] = useState(false);
  async function copy() {
    try {
      await navigator.clipboard.writeText(one.proxy_url);
      setCopied(true);
    } catch {
      // A browser that forbids it still shows the address to be marked by hand.
    }
  }
  const Icon = isCopied ? Check : Copy;
  return (
    <div className="farebox-calling">
      <p>{t('Programs call it at its Proxy URL, with an access token of yours:')}</p>
      <div className="farebox-proxy">
        <code tabIndex={0}>{one.proxy_url}</code>
        <Button variant="outline" size="sm" onClick={copy}>
          <Icon className="h-4 w-4" aria-hidden="true" /> {isCopied ? t('Copied') : t('Copy')}
        </Button>
      </div>
      <a className="farebox-link" href="/account/tokens">
        {t('Get an access token')}
      </a>
    </div>
  );
}
