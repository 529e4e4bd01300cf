//! Pulling an image with the progress of every layer.

use super::{
    engine::Engine,
    fault::Fault,
    reference::Reference,
    registries::{self, Login},
};
use crate::{
    authentication::server::{Operating, Permit},
    error::{Error, Result},
    i18n::td_string,
    jobs::{
        model::{Part, Progress, Voice},
        server::Run,
    },
};
use bollard::{models::CreateImageInfo, query_parameters::CreateImageOptions};
use futures::StreamExt as _;
use std::{pin::pin, time::Duration};

/// How long an engine may say nothing during a pull; it waits for a slow registry too.
const IDLE: Duration = Duration::from_secs(180);

/// The part of a layer's work that downloading is; the rest is unpacking.
const DOWNLOAD: f64 = 0.7;

/// Layers whose progress is told; an image has at most 127.
const MOST_LAYERS: usize = 512;

/// Pulls one tag or digest, or every tag, and gives the engine's last words. Where the permit's customer, or the
/// platform, keeps a login for the registry, it is used.
///
/// # Errors
/// [`Error::Invalid`] at `image`; the engine's or the registry's own words, also when they come in the middle.
pub async fn pull(
    run: &Run,
    permit: &Permit<Operating>,
    engine: &Engine,
    image: &str,
    platform: Option<&str>,
    all_tags: bool,
) -> Result<String> {
    let locale = run.context.locale;
    let reference =
        Reference::parse(image).ok_or_else(|| Error::invalid("image", td_string!(locale, deployments.spec.image)))?;
    let tag = match (&reference.digest, &reference.tag) {
        (Some(digest), _) => digest.clone(),
        (None, Some(tag)) => tag.clone(),
        // Without a tag an engine pulls them all.
        (None, None) if all_tags => String::new(),
        (None, None) => "latest".to_owned(),
    };
    let registry = reference.registry();
    let login = match &registry {
        Some(registry) => registries::login(permit, registry).await?,
        None => None,
    };
    let options = CreateImageOptions {
        from_image: Some(reference.repository),
        tag: Some(tag),
        platform: platform.unwrap_or_default().to_owned(),
        ..CreateImageOptions::default()
    };
    let note = td_string!(locale, deployments.engine.note_pulling, image = image.to_owned());
    run.progress(Progress { fraction: None, note: note.clone(), parts: Vec::new() });
    run.line(Voice::Note, &note).await;
    if let Some(Login { registry, username, password }) = &login {
        run.secret(password);
        let (registry, username) = (registry.clone(), username.clone());
        let note = td_string!(locale, deployments.engine.note_login, registry = registry, username = username);
        run.line(Voice::Note, &note).await;
    }

    let docker = engine.docker().map_err(|fault| fault.error(locale))?;
    let mut pieces = pin!(docker.create_image(Some(options), None, login.as_ref().map(Login::for_engine)));
    let mut layers = Layers::default();
    let mut last = String::new();
    loop {
        let piece = tokio::select! {
            piece = tokio::time::timeout(IDLE, pieces.next()) => piece.map_err(|_| Fault::Silent(IDLE)),
            fault = engine.away() => Err(fault),
        };
        let Some(piece) = piece.map_err(|fault| fault.error(locale))? else { break };
        let piece = piece.map_err(|error| match Fault::from(error) {
            // A missing image is no missing thing of ours.
            Fault::Said { message, .. } => {
                Error::conflict(registries::with_advice(message, image, registry.as_deref(), login.as_ref(), locale))
            }
            fault => fault.error(locale),
        })?;
        match layers.note(&piece) {
            Noted::Progress => {
                run.progress(Progress { fraction: layers.fraction(), note: note.clone(), parts: layers.0.clone() });
            }
            Noted::Words(words) => {
                run.line(Voice::Out, &words).await;
                last = words;
            }
            Noted::Nothing => {}
        }
    }
    Ok(last)
}

/// The layers of a pull, in the order in which they were named.
#[derive(Default)]
struct Layers(Vec<Part>);

/// What a piece of news was.
#[derive(Debug, PartialEq, Eq)]
enum Noted {
    /// About a layer.
    Progress,
    /// Words for the output.
    Words(String),
    /// Nothing new.
    Nothing,
}

impl Layers {
    fn note(&mut self, piece: &CreateImageInfo) -> Noted {
        let status = piece.status.as_deref().unwrap_or_default().trim();
        let is_layer = |id: &&String| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(id) = piece.id.as_ref().filter(is_layer) else {
            return if status.is_empty() {
                Noted::Nothing
            } else {
                let subject = piece.id.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
                Noted::Words(format!("{subject}{status}"))
            };
        };
        let place = self.0.iter().position(|part| part.name == *id).or_else(|| {
            (self.0.len() < MOST_LAYERS).then(|| {
                self.0.push(Part { name: id.clone(), ..Part::default() });
                self.0.len() - 1
            })
        });
        let Some(part) = place.and_then(|place| self.0.get_mut(place)) else { return Noted::Nothing };
        let detail = piece.progress_detail.as_ref();
        status.clone_into(&mut part.note);
        match (detail.and_then(|detail| detail.current), detail.and_then(|detail| detail.total)) {
            (Some(done), total) => {
                part.done = done;
                part.total = total.unwrap_or(part.total).max(0);
            }
            (None, _) if is_complete(status) || status == "Download complete" => part.done = part.total,
            (None, _) => {}
        }
        Noted::Progress
    }

    /// The mean over all layers that are known.
    fn fraction(&self) -> Option<f64> {
        if self.0.is_empty() {
            return None;
        }
        Some(self.0.iter().map(share).sum::<f64>() / self.0.len() as f64)
    }
}

fn is_complete(status: &str) -> bool {
    matches!(status, "Pull complete" | "Already exists")
}

fn share(part: &Part) -> f64 {
    let done = if part.total > 0 { (part.done as f64 / part.total as f64).clamp(0.0, 1.0) } else { 0.0 };
    match part.note.as_str() {
        note if is_complete(note) => 1.0,
        "Downloading" => DOWNLOAD * done,
        "Verifying Checksum" | "Download complete" => DOWNLOAD,
        "Extracting" => DOWNLOAD + (1.0 - DOWNLOAD) * done,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    fn piece(id: &str, status: &str, progress: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: progress
                .map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) }),
            error_detail: None,
        }
    }

    #[test]
    fn progress_moves_from_downloading_to_complete() {
        let mut layers = Layers::default();
        assert_eq!(layers.fraction(), None);

        layers.note(&piece("0123456789ab", "Downloading", Some((50, 100))));
        layers.note(&piece("ba9876543210", "Already exists", None));
        assert_eq!(layers.fraction(), Some(0.675));

        layers.note(&piece("0123456789ab", "Extracting", Some((100, 100))));
        layers.note(&piece("0123456789ab", "Pull complete", None));
        assert_eq!(layers.fraction(), Some(1.0));
        assert_eq!(layers.0[0].note, "Pull complete");
    }

    #[test]
    fn what_is_no_layer_goes_to_the_output() {
        let mut layers = Layers::default();

        assert_eq!(
            layers.note(&piece("1", "Pulling from muelle/web", None)),
            Noted::Words("1: Pulling from muelle/web".to_owned())
        );
    }
}
