// In ASCII and without escapes, so the text of a string is its value.
const STRING = '[\\x20!#-[\\]-\\x7e]*';
const SEGMENT = '(?!\\.{1,2}["/])[\\x20!#-.0-[\\]-z|-~]+';
// Relative on every platform, without `..`, and without the brace that may begin
// alternatives: `parsePatterns` never refuses these, and reads each as one.
const ENTRY = `(?![A-Za-z]:)${SEGMENT}(?:/${SEGMENT})*`;
const FILES = listOf(`"${ENTRY}/?"`);
const DIRECTORIES = listOf(`"${ENTRY}/"`);
// The days that every year has. `Date` would read the 31st of April as the 1st of May.
const DAY =
  '(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)';
const TIME = `\\d{4}-${DAY}T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\dZ`;

const PART =
  `\\{(?:"files":${FILES},)?(?:"directories":${DIRECTORIES},)?(?:"except":${FILES},)?` +
  `(?:"tree":"${STRING}",)?(?:"git_dir":"${STRING}",)?(?:"since":"${TIME}",)?"by":"(?:hand|hook|mcp)"(?:,"touched":"${TIME}")?\\}`;

/**
 * What `formatClaim` writes, with the agent and both times. After a change in
 * place there may be blanks at its end.
 */
const CANONICAL = new RegExp(
  `^\\{"agent":"(${STRING})","locked_at":"(${TIME})","files":${FILES}(?:,"directories":${DIRECTORIES})?` +
    `(?:,"except":${FILES})?(?:,"task_description":"${STRING}")?,"expires_at":"(${TIME})"` +
    `,"id":"${STRING}"(?:,"bound":\\{"pid":[1-9]\\d{0,9},"start":"${STRING}"\\})?` +
    `(?:,"session":\\{"pid":[1-9]\\d{0,9},"start":"${STRING}","boot":"${STRING}","namespace":"${STRING}"\\})?` +
    `(?:,"parts":${listOf(PART)})?\\} *\\n$`,
);

function listOf(entry: string): string {
  return `\\[(?:${entry}(?:,${entry})*)?\\]`;
}

// A pattern has at most 4096 characters, and a folder's slash.
const LONG_ENTRY = /"[^"]{4097}/;
// A longer match could exhaust the stack of the regular expression.
const MOST_CHARACTERS = 64 * 1024;

/**
 * Whether `text` is certainly a valid claim of `agent`, in the form that
 * `formatClaim` writes. False says nothing: `parseClaim` decides. It takes a
 * fraction of the time of `parseClaim`, which makes an object of each entry.
 */
export function isCanonicalClaim(text: string, agent: string): boolean {
  if (text.length > MOST_CHARACTERS) return false;
  const [, named, lockedAt = '', expiresAt = ''] = CANONICAL.exec(text) ?? [];
  // Times of this form sort by their text.
  if (named !== agent || lockedAt > expiresAt) return false;
  return text.length <= 4096 || !LONG_ENTRY.test(text);
}
