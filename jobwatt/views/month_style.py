"""The style of `jobwatt month --html`: light, dark, narrow, printed."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --ink: #1d2733; --soft: #566372; --line: #dfe3e8;
  --now: #1f6f8b; --before: #cfdbe1; --track: #eef1f4;
  --completed: #1f6f8b; --failed: #c4513a; --out-of-memory: #dd8452; --timed-out: #e3b23c;
  --node-failure: #8e6bb0; --cancelled: #9aa5b1; --running: #7fb7c9; --pending: #c9d6dc;
  --unknown: #c3cad2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161b; --card: #1a2027; --ink: #e6eaee; --soft: #a3afbc; --line: #2c353f;
    --now: #5fb3cf; --before: #33444f; --track: #242c35;
    --completed: #5fb3cf; --failed: #e0725c; --out-of-memory: #e59a6c; --timed-out: #e6c35c;
    --node-failure: #b294d2; --cancelled: #8a96a3; --running: #386d80; --pending: #3b4a54;
    --unknown: #55606c;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans",
    sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; }
h1 { font-size: 1.25rem; font-weight: 600; margin: 0; }
h2 { font-size: 1rem; font-weight: 600; margin: 0 0 .75rem; }
p { margin: 0; }
.soft, figcaption, footer, thead th { color: var(--soft); }
.hero { margin: 1.25rem 0 1.75rem; }
.hero .total { font-size: 3rem; font-weight: 650; line-height: 1.1; letter-spacing: -.02em; }
.hero .total span { font-size: 1rem; font-weight: 400; letter-spacing: 0; color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.25rem; margin: 0 0 1.25rem; }
.pair { columns: 2; column-gap: 1.25rem; margin-bottom: 1.25rem; }
.pair section { break-inside: avoid; }
.pair section:last-child { margin-bottom: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; vertical-align: baseline;
  font-weight: 400; border-top: 1px solid var(--line); }
thead th, thead td { border-top: 0; } thead th { font-size: .8rem; padding-top: 0; }
th:last-child, td:last-child { padding-right: 0; }
.n { text-align: right; white-space: nowrap; }
tbody th { overflow-wrap: anywhere; }
.n + .t { padding-left: .75rem; }
.largest tbody th { white-space: nowrap; }
.facts tbody th { color: var(--soft); white-space: nowrap; overflow-wrap: normal; }
.bar { width: 22%; vertical-align: middle; }
figure { margin: 0; }
figcaption { font-size: .85rem; margin-top: .75rem; }
.chart { display: grid; grid-template-columns: auto 1fr; gap: 0 .6rem; font-size: .8rem;
  color: var(--soft); }
.scale { display: flex; flex-direction: column; justify-content: space-between;
  text-align: right; margin: -.6rem 0; white-space: nowrap; }
.axis { grid-column: 2; display: flex; justify-content: space-between; margin-top: .4rem; }
svg.plot { display: block; width: 100%; }
svg.days { height: 11rem; overflow: visible; }
svg.parts { height: 1.5rem; border-radius: 4px; margin-bottom: 1rem; background: var(--track); }
svg.meter { display: block; width: 100%; height: .55rem; border-radius: 2px; }
svg.swatch { width: .7rem; height: .7rem; border-radius: 2px; margin-right: .5rem; }
line { vector-effect: non-scaling-stroke; }
.grid { stroke: var(--line); stroke-width: 1; }
line.unknown { stroke: var(--soft); stroke-width: 2; stroke-dasharray: 3 3; }
.slot { fill: transparent; }
g:hover > .slot { fill: var(--track); }
.now { fill: var(--now); } .before { fill: var(--before); } .track { fill: var(--track); }
.completed { fill: var(--completed); } .failed { fill: var(--failed); }
.out-of-memory { fill: var(--out-of-memory); } .timed-out { fill: var(--timed-out); }
.node-failure { fill: var(--node-failure); } .cancelled { fill: var(--cancelled); }
.running { fill: var(--running); } .pending { fill: var(--pending); }
rect.unknown { fill: var(--unknown); }
.legend span { display: inline-block; margin-right: 1.25rem; }
details { margin-top: 1rem; font-size: .85rem; }
summary { cursor: pointer; color: var(--soft); }
details table { margin-top: .75rem; }
footer { font-size: .8rem; margin-top: 1.5rem; }
footer p + p { margin-top: .35rem; }
@media (max-width: 42rem) {
  main { padding: 1.5rem .9rem 2rem; }
  .hero .total { font-size: 2.3rem; }
  .hero .total span { display: block; margin-top: .35rem; }
  .pair { columns: 1; }
  .facts { font-size: .82rem; }
  .facts th, .facts td { padding-right: .5rem; }
  .facts tbody th { white-space: normal; overflow-wrap: normal; }
  section { padding: 1rem; }
  svg.days { height: 8rem; }
  .bar { width: 15%; }
  .axis span:nth-child(even) { display: none; }
}
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #ccc; --now: #1f6f8b;
    --before: #cfdbe1; --track: #eef1f4; }
  body { font-size: 11pt; }
  main { padding: 0; max-width: none; }
  section { break-inside: avoid; padding: .75rem; }
  .wide { overflow: visible; }
  details { display: none; }
  svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
