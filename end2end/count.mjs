// Reads Playwright's JSON report. Usage: node count.mjs REPORT
//
// Prints how many stories passed and how many did not in the first line; then each that did not,
// with the first lines of its errors.

import { readFileSync } from 'node:fs';

const { stats, suites, errors } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
console.log(stats.expected, stats.unexpected + stats.flaky);
for (const { message } of errors) console.log(opening(message, 8));
for (const { spec, path } of suites.flatMap((suite) => specs(suite, []))) {
  for (const test of spec.tests.filter(({ status }) => status === 'unexpected' || status === 'flaky')) {
    console.log(`${spec.file}:${spec.line} ${[...path, spec.title].join(' › ')}`);
    const told = test.results.flatMap((result) => result.errors).slice(0, 3);
    for (const { message, location } of told) {
      console.log(indented(`${location ? `line ${location.line}: ` : ''}${opening(message, 10)}`));
    }
  }
}

/** Every story of a suite and of those in it, each with the names of what it stands in. */
function specs(suite, path) {
  const own = (suite.specs ?? []).map((spec) => ({ spec, path }));
  return [...own, ...(suite.suites ?? []).flatMap((inner) => specs(inner, [...path, inner.title]))];
}

/** The first lines of a message, without colours and empty lines. */
function opening(message = '', lines) {
  const plain = message.replace(/\u001b\[[0-9;]*m/g, '');
  return plain.split('\n').filter((line) => line.trim()).slice(0, lines).map((line) => line.slice(0, 300)).join('\n');
}

function indented(text) {
  return text.replace(/^/gm, '    ');
}
