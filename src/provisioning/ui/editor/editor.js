// The editor of playbooks: CodeMirror over a textarea, which stays the form's value.
//
// It is loaded when a page opens an editor and not before. The page calls `muelleEditor.open(textarea, settings)`
// and speaks to it through the object that it gets back; the editor speaks through events of the textarea.

import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, completionStatus }
  from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentLess, indentMore, insertNewlineAndIndent }
  from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { HighlightStyle, bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting }
  from '@codemirror/language';
import { lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { Compartment, EditorSelection, EditorState } from '@codemirror/state';
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap,
  lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';

const PLAY = ['hosts', 'name', 'become', 'become_user', 'gather_facts', 'vars', 'vars_files', 'roles', 'tasks',
  'pre_tasks', 'post_tasks', 'handlers', 'serial', 'strategy', 'tags', 'environment', 'any_errors_fatal',
  'max_fail_percentage', 'order', 'run_once', 'ignore_errors', 'module_defaults', 'collections', 'import_playbook'];

const TASK = ['name', 'when', 'loop', 'loop_control', 'register', 'notify', 'tags', 'become', 'become_user',
  'changed_when', 'failed_when', 'ignore_errors', 'until', 'retries', 'delay', 'vars', 'environment', 'delegate_to',
  'run_once', 'no_log', 'check_mode', 'diff', 'block', 'rescue', 'always', 'listen', 'async', 'poll', 'throttle',
  'timeout', 'args'];

const LISTS = ['tasks', 'pre_tasks', 'post_tasks', 'handlers', 'block', 'rescue', 'always'];

/** Asks the server as the pages do; an answer that does not come is an empty one. */
async function ask(name, data) {
  try {
    const answer = await fetch(`/api/fn/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(data),
    });
    return answer.ok ? await answer.json() : [];
  } catch {
    return [];
  }
}

let modules;
const options = new Map();

/** The modules that there are, asked for once; asked again where there was none. */
function allModules() {
  modules ??= ask('ansible_modules', {}).then((list) => {
    if (list.length === 0) modules = undefined;
    return list;
  });
  return modules;
}

/** The options of a module by whatever name it is called. */
async function optionsOf(called) {
  const all = await allModules();
  const found = all.find(({ name }) => name === called)
    ?? all.find(({ name }) => name === `ansible.builtin.${called}`);
  if (!found) return [];
  if (!options.has(found.name)) options.set(found.name, ask('module_options', { module: found.name }));
  return options.get(found.name);
}

const indentOf = (text) => text.length - text.trimStart().length;

/** Where a line stands: its key if it has one, and the column at which its keys begin. */
function shape(text) {
  const [, before, key] = /^(\s*(?:-\s+)*)([\w.]+)?/.exec(text);
  return { column: before.length, key: /^\s*(?:-\s+)*[\w.]+\s*:/.test(text) ? key : undefined, item: /^\s*-/.test(text) };
}

/** The keys above a place, innermost first: what its column is below. */
function above(doc, number, column) {
  const keys = [];
  let edge = column;
  for (let line = number - 1; line > 0 && edge > 0; line -= 1) {
    const { text } = doc.line(line);
    if (text.trim() === '' || text.trimStart().startsWith('#')) continue;
    const at = shape(text);
    if (at.key === undefined || at.column >= edge) continue;
    keys.push(at.key);
    // A list may stand at the column of its key.
    edge = at.item ? indentOf(text) + 1 : at.column;
  }
  return keys;
}

/** What can be written at a place of a playbook. */
async function complete(context) {
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  const value = /^(\s*(?:-\s+)*)([\w.]+):\s+([\w-]*)$/.exec(before);
  if (value) return completeValue(context, line, value);
  const written = /^(\s*(?:-\s+)*)([\w.]*)$/.exec(before);
  if (!written || (written[2] === '' && !context.explicit)) return null;
  const column = written[1].length;
  const from = context.pos - written[2].length;
  const keys = above(context.state.doc, line.number, column);
  const [parent] = keys;
  const key = (label, type, extra = {}) => ({ label, type, apply: `${label}: `, ...extra });
  if (parent === undefined) {
    return { from, options: PLAY.map((label) => key(label, 'keyword')), validFor: /^[\w.]*$/ };
  }
  if (LISTS.includes(parent)) {
    const all = await allModules();
    const listed = all.flatMap(({ name, description }) => {
      const short = name.startsWith('ansible.builtin.') ? 1 : 0;
      return [{ label: name, type: 'function', info: description, boost: short, apply: `${name}:\n${' '.repeat(column + 2)}` }];
    });
    return { from, options: [...TASK.map((label) => key(label, 'keyword', { boost: 2 })), ...listed], validFor: /^[\w.]*$/ };
  }
  const known = await optionsOf(parent);
  if (known.length === 0) return null;
  return {
    from,
    options: known.map((option) => key(option.name, 'property', {
      detail: option.kind, info: option.description, boost: option.required ? 3 : 0,
    })),
    validFor: /^\w*$/,
  };
}

/** The choices of an option. */
async function completeValue(context, line, [, before, name, written]) {
  const [parent] = above(context.state.doc, line.number, before.length);
  const option = parent && (await optionsOf(parent)).find((known) => known.name === name);
  const from = context.pos - written.length;
  const choices = option?.choices.length ? option.choices
    : option?.kind === 'bool' || ['become', 'gather_facts', 'ignore_errors', 'run_once', 'no_log'].includes(name)
      ? ['true', 'false'] : [];
  if (choices.length === 0) return null;
  return { from, options: choices.map((label) => ({ label, type: 'enum' })), validFor: /^[\w-]*$/ };
}

// Colours come from the page's tokens, so light and dark follow by themselves.
const theme = EditorView.theme({
  '&': { color: 'var(--text)', backgroundColor: 'var(--surface-sunken)', font: '12.5px/1.55 var(--mono)', height: '100%' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { font: 'inherit', overflow: 'auto' },
  '.cm-content': { caretColor: 'var(--text)', padding: '8px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--surface-sunken)', color: 'var(--text-soft)', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--accent) 7%, transparent)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground':
    { backgroundColor: 'color-mix(in srgb, var(--accent) 28%, transparent)' },
  '.cm-selectionMatch': { backgroundColor: 'color-mix(in srgb, var(--accent) 16%, transparent)' },
  '.cm-matchingBracket': { backgroundColor: 'color-mix(in srgb, var(--accent) 22%, transparent)' },
  '.cm-tooltip': { backgroundColor: 'var(--surface-raised)', color: 'var(--text)', border: '1px solid var(--line-strong)',
    borderRadius: 'var(--radius)', boxShadow: 'var(--shadow)', maxWidth: 'min(32rem, 90vw)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--on-accent)' },
  '.cm-completionDetail': { color: 'inherit', opacity: '.8' },
  '.cm-panels': { backgroundColor: 'var(--surface-raised)', color: 'var(--text)', borderColor: 'var(--line)' },
  '.cm-panel.cm-search input, .cm-panel.cm-search button': { font: 'inherit' },
  '.cm-textfield': { backgroundColor: 'var(--surface)', color: 'var(--text)', border: '1px solid var(--line-strong)' },
  '.cm-button': { background: 'var(--surface)', color: 'var(--text)', border: '1px solid var(--line-strong)' },
  '.cm-searchMatch': { backgroundColor: 'color-mix(in srgb, var(--warn) 35%, transparent)' },
  '.cm-foldPlaceholder': { backgroundColor: 'var(--surface)', color: 'var(--text-soft)', borderColor: 'var(--line)' },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent-strong)' },
  { tag: [tags.string, tags.content], color: 'var(--good)' },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.atom], color: 'var(--warn)' },
  { tag: [tags.comment, tags.lineComment], color: 'var(--text-soft)', fontStyle: 'italic' },
  { tag: [tags.meta, tags.labelName, tags.typeName], color: 'var(--warn)' },
  { tag: tags.invalid, color: 'var(--bad)' },
]);

/** Leaves the next Tab to the browser, so that nobody is caught in the editor. */
function wayOut() {
  let isOpen = false;
  return [
    EditorView.domEventHandlers({
      keydown(event, view) {
        if (event.key === 'Escape' && completionStatus(view.state) === null) isOpen = true;
        else if (event.key === 'Tab' && isOpen) { isOpen = false; return true; }
        else if (event.key !== 'Shift') isOpen = false;
        return false;
      },
    }),
    keymap.of([{
      key: 'Tab',
      run: (view) => acceptCompletion(view) || (view.state.readOnly ? false : indentMore(view)),
      shift: (view) => (view.state.readOnly ? false : indentLess(view)),
    }]),
  ];
}

/**
 * Puts an editor in front of a textarea.
 *
 * `settings`: `label` and `help` for screen readers, `describedBy`, `language` ("playbook", "yaml" or "plain"),
 * `readOnly`, `phrases` (CodeMirror's own words in the page's language).
 */
function open(textarea, settings) {
  const nonce = document.querySelector('script[nonce]')?.nonce ?? '';
  const words = new Compartment();
  const attributes = ({ label, help, describedBy, invalid }) => EditorView.contentAttributes.of({
    'aria-label': label,
    ...(help ? { 'aria-description': help } : {}),
    ...(describedBy ? { 'aria-describedby': describedBy } : {}),
    ...(invalid ? { 'aria-invalid': 'true' } : {}),
    ...(settings.readOnly ? { 'aria-readonly': 'true', tabindex: '0' } : {}),
    spellcheck: 'false', autocapitalize: 'off', autocorrect: 'off',
  });
  const isYaml = settings.language !== 'plain';
  let isOwn = false;
  const view = new EditorView({
    state: EditorState.create({
      doc: textarea.value,
      extensions: [
        EditorView.cspNonce.of(nonce),
        lineNumbers(), highlightActiveLineGutter(), highlightSpecialChars(), history(), foldGutter(), drawSelection(),
        indentOnInput(), bracketMatching(), closeBrackets(), highlightActiveLine(), highlightSelectionMatches(),
        EditorState.allowMultipleSelections.of(true),
        EditorState.readOnly.of(settings.readOnly === true),
        EditorView.editable.of(settings.readOnly !== true),
        EditorState.tabSize.of(2), indentUnit.of('  '),
        EditorState.phrases.of(settings.phrases ?? {}),
        isYaml ? yaml() : [],
        settings.language === 'playbook' && !settings.readOnly
          ? autocompletion({ override: [complete], icons: false, interactionDelay: 30 }) : [],
        lintGutter(), search({ top: true }), syntaxHighlighting(colours), theme,
        words.of(attributes(settings)),
        wayOut(),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap,
          ...completionKeymap, ...lintKeymap, { key: 'Enter', run: insertNewlineAndIndent }]),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged || isOwn) return;
          textarea.value = update.state.doc.toString();
          textarea.dispatchEvent(new Event('input', { bubbles: true }));
        }),
        EditorView.domEventHandlers({
          blur() { textarea.dispatchEvent(new FocusEvent('focusout', { bubbles: true })); },
        }),
      ],
    }),
  });
  textarea.after(view.dom);
  const toEditor = () => view.focus();
  textarea.addEventListener('focus', toEditor);
  textarea.classList.add('visually-hidden');
  textarea.tabIndex = -1;
  textarea.setAttribute('aria-hidden', 'true');
  if (settings.language === 'playbook' && !settings.readOnly) allModules();

  const place = ({ line, column }) => {
    const { doc } = view.state;
    const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
    const from = Math.min(at.from + Math.max(column, 1) - 1, at.to);
    return { from, to: Math.max(at.to, from) };
  };
  return {
    /** Takes a text from the page, unless it stands here already. */
    setText(text) {
      const stands = view.state.doc.toString();
      if (stands === text) return;
      // Only what differs is put in place, so that the cursor stays where it is.
      const most = Math.min(stands.length, text.length);
      let [from, same] = [0, 0];
      while (from < most && stands[from] === text[from]) from += 1;
      while (same < most - from && stands[stands.length - 1 - same] === text[text.length - 1 - same]) same += 1;
      isOwn = true;
      view.dispatch({ changes: { from, to: stands.length - same, insert: text.slice(from, text.length - same) } });
      isOwn = false;
    },
    /** Shows marks, as JSON: [{line, column, severity, message}]. */
    setMarks(json) {
      const severities = { error: 'error', warning: 'warning', hint: 'info' };
      const marks = JSON.parse(json).map(({ line, column, severity, message, rule }) => ({
        ...place({ line, column }), severity: severities[severity], message: rule ? `${message} (${rule})` : message,
      }));
      view.dispatch(setDiagnostics(view.state, marks));
    },
    /** Says in the page's language what this is, and whether something is wrong with it. */
    setWords(label, help, describedBy, invalid) {
      view.dispatch({ effects: words.reconfigure(attributes({ label, help, describedBy, invalid })) });
    },
    /** Puts the cursor at a place. */
    goTo(line, column) {
      const { from } = place({ line, column });
      view.dispatch({ selection: EditorSelection.cursor(from), effects: EditorView.scrollIntoView(from, { y: 'center' }) });
      view.focus();
    },
    /** Leaves the textarea as it was. */
    close() {
      textarea.removeEventListener('focus', toEditor);
      textarea.classList.remove('visually-hidden');
      textarea.removeAttribute('aria-hidden');
      textarea.removeAttribute('tabindex');
      view.destroy();
    },
  };
}

window.muelleEditor = { open };
