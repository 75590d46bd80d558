// How Debian's Chromium is started: as root too, and asking nobody for anything but the test's own servers.
export const executablePath = "/usr/bin/chromium";

export const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
