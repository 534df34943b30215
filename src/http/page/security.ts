/** Who may show the service inside a page of theirs: a Space is shown in a frame of Hugging Face. */
function frameAncestors(inSpace: boolean): string {
  return inSpace ? "frame-ancestors 'self' https://huggingface.co https://*.hf.space" : "frame-ancestors 'self'"
}

/** The policy of a page: its one style, by its hash, its icon, and nothing else. */
export function pagePolicy(inSpace: boolean, styleHash: string): string {
  return `default-src 'none'; style-src '${styleHash}'; img-src data:; base-uri 'none'; form-action 'none'; ${frameAncestors(inSpace)}`
}
