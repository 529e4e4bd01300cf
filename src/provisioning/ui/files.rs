//! The files beside a playbook: a tree, an editor, uploads and a download.

use super::{
    editor::{CodeEditor, Written},
    requirements::RequirementsPanel,
    versions::use_asked,
    while_live,
};
use crate::{
    app::refusal,
    authentication::policy::Verb,
    error::Error,
    events::{client::use_changes, model::Topic},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    provisioning::{
        books::{FileText, ProjectFile, Unpacked},
        books_api::{playbook_file, playbook_files, remove_playbook_files, save_playbook_file},
    },
    storage::{Playbook, item::RawRecord},
    ui::{
        ActionButton, ButtonLook, Bytes, CheckField, ConfirmDialog, Dialog, Empty, Icon, Live, LiveView, Notice, Panel,
        Skeleton, TextField, Tone, Trouble, UnsavedGuard, address::escaped, use_address, use_toasts,
    },
};
use icondata_lu as lu;
use leptos::{html, prelude::*};

/// The tab.
pub fn tab(record: Signal<RawRecord>) -> AnyView {
    while_live(record, |id| view! { <Files id /> }.into_any())
}

#[component]
fn Files(id: Id<Playbook>) -> impl IntoView {
    let changes = use_changes(vec![Topic::Records("playbook".to_owned())]);
    view! {
        <LiveView
            fetch=move || playbook_files(id)
            changes
            view=move |files| view! { <Found id files /> }
        />
    }
}

#[component]
fn Found(id: Id<Playbook>, files: Live<Vec<ProjectFile>>) -> impl IntoView {
    let i18n = use_i18n();
    let open = use_address().get("file");
    let may_update = refusal(Verb::Update, "playbook");
    let removing = RwSignal::new(None::<String>);
    let adding = RwSignal::new(false);
    let uploading = RwSignal::new(false);
    let all = files.value();
    view! {
        <div class="row project__actions">
            <ActionButton
                label=say!(i18n, playbooks.tree.new_file)
                icon=lu::LuFilePlus
                refused=may_update
                on_press=Callback::new(move |()| adding.set(true))
            />
            <ActionButton
                label=say!(i18n, playbooks.tree.upload)
                icon=lu::LuUpload
                refused=may_update
                on_press=Callback::new(move |()| uploading.set(true))
            />
            <a class="button" href=format!("/api/v1/playbooks/{id}/archive") download="playbook.zip">
                <Icon icon=lu::LuDownload />
                {t!(i18n, playbooks.tree.download)}
            </a>
        </div>
        <RequirementsPanel id files=all />
        <div class="project">
            <Panel title=say!(i18n, playbooks.tree.title)>
                {move || if all.with(Vec::is_empty) {
                    view! {
                        <Empty icon=lu::LuFolderTree text=say!(i18n, playbooks.tree.empty) />
                    }
                    .into_any()
                } else {
                    view! {
                        <ul class="project__tree">
                            {lines(&all.get())
                                .into_iter()
                                .map(|line| view! { <TreeLine id line open removing may_update /> })
                                .collect_view()}
                        </ul>
                    }
                    .into_any()
                }}
            </Panel>
            {move || {
                let path = open.get();
                (!path.is_empty()).then(|| view! { <OpenFile id path may_update /> })
            }}
        </div>
        <NewFile id adding all />
        <Upload id uploading />
        <RemoveQuestion id removing all />
    }
}

/// One line of the tree: a folder or a file, and how deep it stands.
#[derive(Clone)]
struct Line {
    path: String,
    name: String,
    depth: usize,
    size: Option<i64>,
}

/// The tree of these files, folders in front of what is in them.
fn lines(files: &[ProjectFile]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    for file in files {
        let mut parts: Vec<&str> = file.path.split('/').collect();
        let name = parts.pop().unwrap_or_default();
        let same = open.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        for depth in same..parts.len() {
            let (path, name) = (parts[..=depth].join("/"), parts[depth].to_owned());
            lines.push(Line { path, name, depth, size: None });
        }
        lines.push(Line { path: file.path.clone(), name: name.to_owned(), depth: parts.len(), size: Some(file.size) });
        open = parts;
    }
    lines
}

#[component]
fn TreeLine(
    id: Id<Playbook>,
    line: Line,
    open: Memo<String>,
    removing: RwSignal<Option<String>>,
    may_update: Signal<Option<String>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let Line { path, name, depth, size } = line;
    let (shown, target, own) = (path.clone(), path.clone(), path.clone());
    let raw = format!("/api/v1/playbooks/{id}/files/{}", path.split('/').map(escaped).collect::<Vec<_>>().join("/"));
    view! {
        <li class="project__line" data-depth=depth.min(8).to_string()>
            {match size {
                Some(size) => view! {
                    <a
                        class="project__name"
                        href=move || address.with(&[("file", &target)])
                        data-noscroll
                        title=shown
                        aria-current=move || (open.get() == own).then_some("true")
                    >
                        <Icon icon=lu::LuFile />
                        {name}
                    </a>
                    <span class="soft number"><Bytes size /></span>
                    <a
                        class="button button--quiet button--icon"
                        href=raw
                        download=""
                        aria-label={
                            let path = path.clone();
                            move || t_string!(i18n, playbooks.tree.download_file, path = path.clone())
                        }
                    >
                        <Icon icon=lu::LuDownload />
                    </a>
                }
                .into_any(),
                None => view! {
                    <span class="project__name"><Icon icon=lu::LuFolder />{name}</span>
                }
                .into_any(),
            }}
            <ActionButton
                label={
                    let path = path.clone();
                    Signal::derive(move || t_string!(i18n, playbooks.tree.remove_file, path = path.clone()))
                }
                icon=lu::LuTrash2
                look=ButtonLook::Icon
                refused=may_update
                on_press=Callback::new(move |()| removing.set(Some(path.clone())))
            />
        </li>
    }
}

/// The file that the address names.
#[component]
fn OpenFile(id: Id<Playbook>, path: String, may_update: Signal<Option<String>>) -> impl IntoView {
    let wanted = path.clone();
    let found = use_asked(move || playbook_file(id, wanted.clone()));
    view! {
        {move || match found.get() {
            None => view! { <Skeleton rows=6 /> }.into_any(),
            Some(Err(error)) => view! { <Trouble error=Signal::derive(move || error.clone()) /> }.into_any(),
            Some(Ok(file)) => view! { <FileForm id file may_update /> }.into_any(),
        }}
    }
}

#[component]
fn FileForm(id: Id<Playbook>, file: FileText, may_update: Signal<Option<String>>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let path = StoredValue::new(file.path.clone());
    let Some(text) = file.text else {
        return view! {
            <Panel title=Signal::derive(move || path.get_value())>
                <p class="panel__body soft">{t!(i18n, playbooks.tree.no_text)}</p>
            </Panel>
        }
        .into_any();
    };
    let stands = RwSignal::new(text.clone());
    let value = RwSignal::new(text.clone());
    let problem = RwSignal::new(None::<String>);
    let save = Action::new(move |text: &String| {
        let (path, text) = (path.get_value(), text.clone());
        async move { (text.clone(), save_playbook_file(id, path, text).await) }
    });
    Effect::new(move || match save.value().get() {
        Some((text, Ok(()))) => {
            stands.set(text);
            problem.set(None);
            toasts.done(t_string!(i18n, records.page.saved, name = path.get_value()));
        }
        Some((_, Err(error @ Error::Invalid { .. }))) => problem.set(Some(error.message(i18n.get_locale_untracked()))),
        Some((_, Err(error))) => toasts.failed(&error),
        None => {}
    });
    let dirty = Memo::new(move |_| value.get() != stands.get());
    let unchanged = Signal::derive(move || {
        may_update.get().or_else(|| (!dirty.get()).then(|| t_string!(i18n, playbooks.tree.unchanged).to_owned()))
    });
    let written = Written::of(&file.path);
    view! {
        <UnsavedGuard dirty />
        <Panel title=Signal::derive(move || path.get_value())>
            <div class="panel__body project__file">
                {if may_update.get_untracked().is_some() {
                    view! { <pre class="record__code" tabindex="0"><code>{text}</code></pre> }.into_any()
                } else {
                    view! {
                        <CodeEditor
                            name="project-file"
                            label=say!(i18n, playbooks.tree.content)
                            value
                            written
                            required=true
                            problem=Signal::derive(move || problem.get())
                        />
                    }
                    .into_any()
                }}
                <div class="form__actions">
                    <ActionButton
                        label=say!(i18n, common.save)
                        icon=lu::LuCheck
                        look=ButtonLook::Primary
                        refused=unchanged
                        busy=save.pending()
                        on_press=Callback::new(move |()| drop(save.dispatch(value.get_untracked())))
                    />
                </div>
            </div>
        </Panel>
    }
    .into_any()
}

#[component]
fn NewFile(id: Id<Playbook>, adding: RwSignal<bool>, all: RwSignal<Vec<ProjectFile>>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let address = use_address();
    let path = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let make = Action::new(move |path: &String| {
        let path = path.clone();
        async move { (path.clone(), save_playbook_file(id, path, String::new()).await) }
    });
    Effect::new(move || match make.value().get() {
        Some((made, Ok(()))) => {
            adding.set(false);
            path.set(String::new());
            problem.set(None);
            address.set(&[("file", &made)]);
        }
        Some((_, Err(error @ Error::Invalid { .. }))) => problem.set(Some(error.message(i18n.get_locale_untracked()))),
        Some((_, Err(error))) => toasts.failed(&error),
        None => {}
    });
    let submit = move || {
        let wanted = path.get_untracked().trim().to_owned();
        if all.with_untracked(|all| all.iter().any(|file| file.path == wanted)) {
            problem.set(Some(t_string!(i18n, playbooks.tree.there).to_owned()));
        } else {
            make.dispatch(wanted);
        }
    };
    view! {
        <Dialog open=adding title=say!(i18n, playbooks.tree.new_file)>
            <form
                on:submit=move |event| {
                    event.prevent_default();
                    submit();
                }
            >
                <div class="dialog__body">
                    <TextField
                        name="new-file"
                        label=say!(i18n, playbooks.tree.path)
                        value=path
                        required=true
                        hint=Signal::derive(move || Some(t_string!(i18n, playbooks.tree.path_hint).to_owned()))
                        problem=Signal::derive(move || problem.get())
                        placeholder="templates/nginx.conf.j2"
                    />
                </div>
                <div class="dialog__actions">
                    <ActionButton
                        label=say!(i18n, common.cancel)
                        on_press=Callback::new(move |()| adding.set(false))
                    />
                    <ActionButton
                        label=say!(i18n, playbooks.tree.make)
                        look=ButtonLook::Primary
                        kind="submit"
                        busy=make.pending()
                    />
                </div>
            </form>
        </Dialog>
    }
}

/// Takes a file or an archive from the person's computer.
#[component]
fn Upload(id: Id<Playbook>, uploading: RwSignal<bool>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let input = NodeRef::<html::Input>::new();
    let folder = RwSignal::new(String::new());
    let replace = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let outcome = RwSignal::new(None::<Unpacked>);
    let is_archive = RwSignal::new(false);
    Effect::new(move || {
        if !uploading.get() {
            problem.set(None);
            outcome.set(None);
            is_archive.set(false);
        }
    });
    let done = Callback::new(move |answer: Result<String, String>| {
        busy.try_set(false);
        // Where the dialog was closed meanwhile, it is told as a toast.
        let is_open = uploading.try_get_untracked() == Some(true);
        match answer {
            Ok(text) => {
                problem.try_set(None);
                match crate::json::read::<Unpacked>(&text) {
                    // What came of an archive is more than one glance, so it stands where it was asked for.
                    Ok(unpacked) if is_open => drop(outcome.try_set(Some(unpacked))),
                    Ok(Unpacked { files, left_out, .. }) => {
                        let taken = t_string!(i18n, playbooks.tree.taken, count = files.to_string());
                        if left_out.is_empty() {
                            toasts.done(taken);
                        } else {
                            let paths = left_out.join(", ");
                            toasts.warn(format!("{taken}. {} {paths}", t_string!(i18n, playbooks.tree.left_out)));
                        }
                    }
                    Err(_) => {
                        toasts.done(t_string!(i18n, playbooks.tree.uploaded));
                        uploading.try_set(false);
                    }
                }
            }
            Err(message) => {
                let is_silent = message.is_empty();
                let message = if is_silent { t_string!(i18n, playbooks.tree.no_answer).to_owned() } else { message };
                if is_open {
                    problem.try_set(Some(message));
                } else {
                    toasts.warn(message);
                }
            }
        }
    });
    let submit = move || {
        if busy.get_untracked() {
            return;
        }
        if browser::name(input).is_none() {
            problem.set(Some(t_string!(i18n, playbooks.tree.no_file).to_owned()));
            return;
        }
        busy.set(true);
        outcome.set(None);
        browser::send(input, id, &folder.get_untracked(), replace.get_untracked(), done);
    };
    view! {
        <Dialog open=uploading title=say!(i18n, playbooks.tree.upload)>
            <form
                on:submit=move |event| {
                    event.prevent_default();
                    submit();
                }
            >
                <div class="dialog__body">
                    <div class="field">
                        <label class="field__label" for="upload-file">{t!(i18n, playbooks.tree.file)}</label>
                        <input
                            node_ref=input
                            class="input record-form__file"
                            type="file"
                            id="upload-file"
                            aria-describedby="upload-hint upload-problem"
                            on:change=move |_| {
                                problem.set(None);
                                outcome.set(None);
                                is_archive.set(browser::name(input).is_some_and(|name| is_zip(&name)));
                            }
                        />
                        <span class="field__hint" id="upload-hint">{t!(i18n, playbooks.tree.file_hint)}</span>
                        <span class="field__problem" id="upload-problem" role="alert">{move || problem.get()}</span>
                    </div>
                    {move || if is_archive.get() {
                        view! {
                            <CheckField
                                name="upload-replace"
                                label=say!(i18n, playbooks.tree.replace)
                                value=replace
                                hint=Signal::derive(move || Some(t_string!(i18n, playbooks.tree.replace_hint).to_owned()))
                            />
                        }
                        .into_any()
                    } else {
                        view! {
                            <TextField
                                name="upload-folder"
                                label=say!(i18n, playbooks.tree.folder)
                                value=folder
                                placeholder="files"
                            />
                        }
                        .into_any()
                    }}
                    {move || outcome.get().map(|unpacked| view! { <Outcome unpacked /> })}
                </div>
                <div class="dialog__actions">
                    <ActionButton
                        label=say!(i18n, common.close)
                        on_press=Callback::new(move |()| uploading.set(false))
                    />
                    <ActionButton
                        label=say!(i18n, playbooks.tree.upload)
                        icon=lu::LuUpload
                        look=ButtonLook::Primary
                        kind="submit"
                        busy
                    />
                </div>
            </form>
        </Dialog>
    }
}

fn is_zip(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".zip")
}

/// What came of an archive: how much was taken, what was not, and what to look at.
#[component]
fn Outcome(unpacked: Unpacked) -> impl IntoView {
    let i18n = use_i18n();
    let Unpacked { files, playbook, left_out, code, .. } = unpacked;
    let list = |paths: Vec<String>| {
        let lines = paths.into_iter().map(|path| view! { <li class="mono">{path}</li> }).collect_view();
        view! { <ul class="problems">{lines}</ul> }
    };
    view! {
        <Notice tone=Tone::Good>
            {move || t_string!(i18n, playbooks.tree.taken, count = files.to_string())} ". "
            {playbook.then_some(t!(i18n, playbooks.tree.taken_playbook))}
        </Notice>
        {(!left_out.is_empty()).then(|| view! {
            <Notice tone=Tone::Warn>{t!(i18n, playbooks.tree.left_out)} {list(left_out)}</Notice>
        })}
        {(!code.is_empty()).then(|| view! {
            <Notice tone=Tone::Warn>{t!(i18n, playbooks.tree.code)} {list(code)}</Notice>
        })}
    }
}

#[component]
fn RemoveQuestion(
    id: Id<Playbook>,
    removing: RwSignal<Option<String>>,
    all: RwSignal<Vec<ProjectFile>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let address = use_address();
    let shown = address.get("file");
    let open = RwSignal::new(false);
    Effect::new(move || open.set(removing.get().is_some()));
    Effect::new(move || {
        if !open.get() && removing.with_untracked(Option::is_some) {
            removing.set(None);
        }
    });
    let remove = Action::new(move |path: &String| {
        let path = path.clone();
        async move { (path.clone(), remove_playbook_files(id, vec![path]).await) }
    });
    Effect::new(move || match remove.value().get() {
        Some((path, Ok(()))) => {
            open.set(false);
            let is_shown = shown.with_untracked(|shown| *shown == path || shown.starts_with(&format!("{path}/")));
            if is_shown {
                address.set(&[("file", "")]);
            }
            toasts.done(t_string!(i18n, playbooks.tree.removed, path = path));
        }
        Some((_, Err(error))) => toasts.failed(&error),
        None => {}
    });
    let names = Signal::derive(move || {
        let Some(path) = removing.get() else { return Vec::new() };
        let folder = format!("{path}/");
        let within = |file: &&ProjectFile| file.path == path || file.path.starts_with(&folder);
        all.with(|all| all.iter().filter(within).map(|file| file.path.clone()).collect())
    });
    view! {
        <ConfirmDialog
            open
            title=say!(i18n, playbooks.tree.remove_question)
            text=say!(i18n, playbooks.tree.remove_text)
            names
            action=say!(i18n, common.remove)
            busy=remove.pending()
            on_confirm=Callback::new(move |()| {
                if let Some(path) = removing.get_untracked() {
                    remove.dispatch(path);
                }
            })
        />
    }
}

/// What only a browser does: hand on the file that was chosen.
#[cfg(feature = "hydrate")]
mod browser {
    use super::is_zip;
    use crate::{id::Id, storage::Playbook, ui::address::escaped};
    use leptos::{html, prelude::*};
    use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
    use web_sys::{File, RequestInit, Response};

    fn file(input: NodeRef<html::Input>) -> Option<File> {
        input.get_untracked()?.files()?.get(0)
    }

    /// The name of the chosen file.
    pub(super) fn name(input: NodeRef<html::Input>) -> Option<String> {
        file(input).map(|file| file.name())
    }

    /// Sends the chosen file; `done` gets the answer's text, or the sentence of a refusal, empty when none came.
    pub(super) fn send(
        input: NodeRef<html::Input>,
        id: Id<Playbook>,
        folder: &str,
        replace: bool,
        done: Callback<Result<String, String>>,
    ) {
        let Some(file) = file(input) else { return };
        let name = file.name();
        let archive = is_zip(&name);
        let folder = folder.trim().trim_matches('/');
        let path: Vec<String> =
            folder.split('/').filter(|part| !part.is_empty()).chain([name.as_str()]).map(escaped).collect();
        let (method, address, media_type) = if archive {
            ("POST", format!("/api/v1/playbooks/{id}/archive?replace={replace}"), "application/zip")
        } else {
            ("PUT", format!("/api/v1/playbooks/{id}/files/{}", path.join("/")), "application/octet-stream")
        };
        let request = RequestInit::new();
        request.set_method(method);
        request.set_body(&file);
        let headers = web_sys::Headers::new().and_then(|headers| {
            headers.set("content-type", media_type)?;
            Ok(headers)
        });
        if let Ok(headers) = headers {
            request.set_headers(&headers);
        }
        let failed = Closure::<dyn FnMut(JsValue)>::once_into_js(move |_: JsValue| done.run(Err(String::new())));
        let answered = {
            let failed = failed.clone();
            Closure::<dyn FnMut(Response)>::once_into_js(move |response: Response| {
                let is_good = response.ok();
                let read = Closure::<dyn FnMut(JsValue)>::once_into_js(move |text: JsValue| {
                    let text = text.as_string().unwrap_or_default();
                    done.run(if is_good { Ok(text) } else { Err(sentence(&text)) });
                });
                if let Ok(text) = response.text() {
                    call(&text, "then", &[read, failed]);
                }
            })
        };
        let asked = window().fetch_with_str_and_init(&address, &request);
        call(&asked, "then", &[answered, failed]);
    }

    fn call(object: &JsValue, name: &str, arguments: &[JsValue]) {
        let function = js_sys::Reflect::get(object, &name.into()).ok();
        let arguments: js_sys::Array = arguments.iter().collect();
        if let Some(function) = function.and_then(|found| found.dyn_into::<js_sys::Function>().ok()) {
            drop(function.apply(object, &arguments));
        }
    }

    /// What a refusal of the API says: of its values, where it names some.
    fn sentence(text: &str) -> String {
        let told: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let error = &told["error"];
        let problem = error["problems"][0]["message"].as_str();
        problem.or_else(|| error["message"].as_str()).unwrap_or_default().to_owned()
    }
}

/// There is no file to send on the server.
#[cfg(not(feature = "hydrate"))]
mod browser {
    use crate::{id::Id, storage::Playbook};
    use leptos::{html, prelude::*};

    pub(super) fn name(_: NodeRef<html::Input>) -> Option<String> {
        None
    }

    pub(super) fn send(
        _: NodeRef<html::Input>,
        _: Id<Playbook>,
        _: &str,
        _: bool,
        _: Callback<Result<String, String>>,
    ) {
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_stand_in_front_of_what_is_in_them() {
        let files = ["a.txt", "roles/db/tasks/main.yml", "roles/web/tasks/main.yml", "roles/web/vars/main.yml"]
            .map(|path| ProjectFile { path: path.to_owned(), size: 1 });

        let shown: Vec<String> =
            lines(&files).iter().map(|line| format!("{}{}", " ".repeat(line.depth), line.name)).collect();

        assert_eq!(
            shown,
            [
                "a.txt",
                "roles",
                " db",
                "  tasks",
                "   main.yml",
                " web",
                "  tasks",
                "   main.yml",
                "  vars",
                "   main.yml",
            ]
        );
    }
}
