// Tells the page that opened this one what became of the order, and gets out of the way. It runs
// right after a button was pressed; without it a link on the page leads on.
const told = document.getElementById("order-told");
if (told) {
  const channel = new BroadcastChannel("farebox");
  channel.postMessage({ order: told.dataset.order, state: told.dataset.state });
  channel.close();
  if (window.opener) {
    window.close();
  } else if (told.dataset.next) {
    location.replace(told.dataset.next);
  }
}
