// The line under an answer: what it cost, what is left, and where the receipt is.
// Its words are decided by the server from the run; here they are only drawn.
import { useEffect } from 'react';

export default function Receipt() {
  // The badge in the header asks for the balance again when a receipt appears.
  useEffect(() => {
    window.dispatchEvent(new CustomEvent('farebox:receipt'));
  }, []);

  return (
    <div className="farebox-receipt" data-tone={props.tone}>
      <span>{props.line}</span>
      {props.href ? (
        <>
          <span aria-hidden="true"> · </span>
          <a href={props.href} target="_blank" rel="noopener" className="farebox-receipt-link">
            receipt
          </a>
        </>
      ) : null}
    </div>
  );
}
