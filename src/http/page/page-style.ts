import crypto from 'node:crypto'

/** The only style of the page. It fetches no font, image or script. */
export const pageStyle = `
:root{color-scheme:light dark;--ink:#16202b;--soft:#566575;--line:#dde4ea;--paper:#f5f7f9;--card:#fff;--code:#f0f4f7;--accent:#0b6e7f;--pass:#12805c;--warn:#a8650a;--fail:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e7edf2;--soft:#9dabb8;--line:#2b3742;--paper:#0f151b;--card:#171f27;--code:#0f161d;--accent:#5cc8da;--pass:#4cc79a;--warn:#e6ae55;--fail:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:50rem;margin:0 auto;padding:2.5rem 1.25rem 3rem}
header{display:flex;flex-wrap:wrap;align-items:center;gap:.4rem .9rem}
h1{font-size:1.7rem;letter-spacing:-.02em;margin:0}
h2{font-size:1.05rem;margin:0 0 .6rem}
h3{font-size:.98rem;margin:0;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
p{margin:.35rem 0}
a{color:var(--accent);text-underline-offset:.15em}
.pill{display:inline-flex;align-items:center;gap:.45rem;border:1px solid currentColor;border-radius:2rem;padding:.1rem .75rem;font-size:.85rem;font-weight:600}
.pill::before{content:"";width:.55rem;height:.55rem;border-radius:50%;background:currentColor}
.pass{color:var(--pass)}.warn{color:var(--warn)}.fail{color:var(--fail)}
.lead{font-size:1.15rem;margin:.9rem 0 .2rem}
.soft{color:var(--soft)}
.small{font-size:.88rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.8rem;padding:1.15rem 1.25rem;margin-top:1.25rem}
article+article{border-top:1px solid var(--line);margin-top:1.1rem;padding-top:1.1rem}
.row{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:baseline;gap:.2rem 1rem}
.label{font-size:.75rem;font-weight:600;letter-spacing:.06em;text-transform:uppercase;color:var(--soft);margin:.8rem 0 .25rem}
pre{margin:0;background:var(--code);border:1px solid var(--line);border-radius:.5rem;padding:.65rem .8rem;overflow-x:auto;font:.84rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all}
pre span{white-space:nowrap}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.92em;background:var(--code);border-radius:.3rem;padding:.08em .3em;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:.4rem 1.3rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:1.6rem;color:var(--soft);font-size:.85rem}
@media (max-width:32rem){main{padding:1.5rem .9rem 2rem}section{padding:1rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}}
`

/** The hash of the style, for the content security policy. */
export const pageStyleHash: string = `sha256-${crypto.hash('sha256', pageStyle, 'base64')}`
