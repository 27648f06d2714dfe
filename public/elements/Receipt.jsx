// What stands under an answer: what it cost, what can be done with that, and the way to another one.
// Its words are decided by the server from the run; here they are only drawn, and the button pressed.
import { useEffect, useState } from 'react';

const { t } = window.words;

export default function Receipt() {
  const [again, setAgain] = useState(props.again);
  const [said, setSaid] = useState('');
  const [isAsking, setAsking] = useState(false);
  const [isOpen, setOpen] = useState(false);

  // The badge in the header and the line at the composer are asked for again when one appears.
  useEffect(() => {
    window.dispatchEvent(new CustomEvent('farebox:receipt'));
  }, []);

  async function press() {
    if (isAsking) return;
    setAsking(true);
    setSaid('');
    try {
      const { answer, price } = again;
      const { response } = await callAction({ name: 'ask_again', payload: { answer, price } });
      if (response.again) setAgain(response.again);
      setSaid(response.said);
    } catch {
      setSaid(t('This could not be sent. Nothing was charged; please try again.'));
    } finally {
      setAsking(false);
    }
  }

  const actions = props.actions || [];
  return (
    <div className="farebox-receipt" data-tone={props.tone} data-open={isOpen}>
      <div className="farebox-receipt-line">
        <span>{props.line}</span>
        {actions.length ? (
          <>
            <button
              type="button"
              className="farebox-receipt-more"
              aria-expanded={isOpen}
              aria-label={t('What you can do with this receipt')}
              onClick={() => setOpen(!isOpen)}
            >
              ⋯
            </button>
            <span className="farebox-receipt-actions">
              {actions.map(({ label, href }) => (
                <span key={label}>
                  <a href={href} target="_blank" rel="noopener" className="farebox-receipt-link">
                    {label}
                  </a>
                </span>
              ))}
            </span>
          </>
        ) : null}
      </div>
      {(props.notices || []).map(({ text, href, label, about }) => (
        <div key={text} className="farebox-notice" data-about={about}>
          {text} <a href={href} target="_blank" rel="noopener">{label}</a>
        </div>
      ))}
      {again ? (
        <div className="farebox-again">
          <button type="button" onClick={press} disabled={isAsking}>
            {again.label}
          </button>
        </div>
      ) : null}
      <div className="farebox-said" role="status">{said}</div>
    </div>
  );
}
