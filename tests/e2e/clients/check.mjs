// check.mjs - what the tests of clients count: checks and failures.
import { isDeepStrictEqual } from 'node:util';

let checks = 0;
let failures = 0;
let group = '';

export function begin(name) {
  group = name;
}

export function counts() {
  return { checks, failures };
}

export function fail(what, seen) {
  failures++;
  const text =
    seen === undefined ? '' : `: ${typeof seen === 'string' ? seen : JSON.stringify(seen)}`;
  console.log(`FAIL: ${group}: ${what}${text.slice(0, 900)}`);
}

export function check(what, good, seen) {
  checks++;
  if (!good) fail(what, seen);
}

export function equal(what, seen, wanted) {
  check(`${what}: should be ${JSON.stringify(wanted)}`, isDeepStrictEqual(seen, wanted), seen);
}

// The error that an operation ends with; it has to be of the class.
export async function throws(what, kind, operation) {
  checks++;
  try {
    const value = await operation();
    fail(`${what}: should end with ${kind.name}`, value);
  } catch (error) {
    if (!(error instanceof kind))
      fail(`${what}: should end with ${kind.name}`, String(error.stack));
    return error;
  }
  return undefined;
}
