// The review: every field of a draft, what its price means, and the two things to do with it. Its
// buttons carry the version they show; the server refuses them once the draft has moved on.
import { useState } from 'react';
import { Badge } from '@/components/ui/badge';
import { Button } from '@/components/ui/button';
import { CircleCheck, CircleDashed, FlaskConical, Loader2, Rocket } from 'lucide-react';

const LINE = '1px solid hsl(var(--border))';
const CARD = {
  border: LINE,
  background: 'hsl(var(--card))',
  color: 'hsl(var(--card-foreground))',
  borderRadius: 12,
  maxWidth: 640,
  overflow: 'hidden',
  boxSizing: 'border-box',
};

export default function DraftReview() {
  const [busy, setBusy] = useState('');
  const published = props.life === 'published';

  async function say(words) {
    if (busy) return;
    setBusy(words);
    try {
      const answer = await callAction({
        name: 'setup_say',
        payload: { say: words, draft: props.draftId, version: props.version },
      });
      const life = answer && answer.response && answer.response.life;
      if (life === 'published') await updateElement({ ...props, life });
    } catch {
      // The server has said why in the chat, or the page is offline and shows so.
    } finally {
      setBusy('');
    }
  }

  return (
    <section style={CARD} aria-label={`Review of ${props.title}`} data-farebox="draft-review">
      <header
        className="flex flex-wrap items-center justify-between gap-2"
        style={{ padding: '14px 16px', borderBottom: LINE }}
      >
        <div className="min-w-0">
          <div className="text-lg font-semibold" style={{ overflowWrap: 'anywhere' }}>
            {props.title}
          </div>
          <div className="text-xs text-muted-foreground tabular-nums">{props.meaning}</div>
        </div>
        <Badge variant="secondary" className="tabular-nums" style={{ whiteSpace: 'nowrap' }}>
          {props.price}
        </Badge>
      </header>

      <dl style={{ margin: 0, padding: '4px 16px' }}>
        {props.rows.map((row, index) => (
          <div
            key={row.label}
            className="text-sm"
            style={{
              display: 'flex',
              flexWrap: 'wrap',
              columnGap: 16,
              rowGap: 2,
              padding: '10px 0',
              borderTop: index ? LINE : 'none',
            }}
          >
            <dt className="text-muted-foreground" style={{ flex: '0 0 104px' }}>
              {row.label}
            </dt>
            <dd
              className={row.isLong ? 'whitespace-pre-wrap' : ''}
              tabIndex={row.isLong ? 0 : undefined}
              style={{
                flex: '1 1 220px',
                minWidth: 0,
                margin: 0,
                overflowWrap: 'anywhere',
                maxHeight: row.isLong ? 132 : undefined,
                overflowY: row.isLong ? 'auto' : undefined,
              }}
            >
              {row.value}
            </dd>
          </div>
        ))}
      </dl>

      <footer
        className="flex flex-wrap items-center justify-between gap-3"
        style={{ padding: '12px 16px', borderTop: LINE, background: 'hsl(var(--muted) / 0.4)' }}
      >
        <div className="flex items-center gap-2 text-xs text-muted-foreground">
          {props.isTested ? (
            <>
              <CircleCheck
                className="h-4 w-4 shrink-0"
                style={{ color: 'hsl(152 60% 38%)' }}
                aria-hidden="true"
              />
              Tested: it answers
            </>
          ) : published ? null : (
            <>
              <CircleDashed className="h-4 w-4 shrink-0" aria-hidden="true" />
              Not tested yet; a test is free
            </>
          )}
        </div>
        {published ? (
          <Badge>Published</Badge>
        ) : (
          <div className="flex gap-2">
            <Button variant="outline" size="sm" disabled={busy !== ''} onClick={() => say('test')}>
              {busy === 'test' ? <Spinner /> : <FlaskConical className="h-4 w-4" />}
              Test
            </Button>
            <Button size="sm" disabled={busy !== ''} onClick={() => say('publish')}>
              {busy === 'publish' ? <Spinner /> : <Rocket className="h-4 w-4" />}
              {props.isOnSale ? 'Publish changes' : 'Publish'}
            </Button>
          </div>
        )}
      </footer>
    </section>
  );
}

function Spinner() {
  return <Loader2 className="h-4 w-4 animate-spin" aria-hidden="true" />;
}
