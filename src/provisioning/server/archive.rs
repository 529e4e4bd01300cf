//! Archives of a project: ZIP, read with suspicion.
//!
//! Nothing is written to a disk while one is read: an entry becomes a path that was checked and bytes that were
//! counted. What an entry says of its own size is not believed.

use super::{
    project::{FILES_MAX, PLAYBOOK, TOTAL_MAX, check_path},
    versions::SURVEY,
};
use crate::{
    error::{Error, Result},
    i18n::{Locale, td_string},
};
use anyhow::Context as _;
use std::{
    collections::BTreeSet,
    io::{Cursor, Read as _, Write as _},
};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

/// Bytes of content that one byte of archive may give, once an entry is longer than a mebibyte.
const RATIO_MAX: u64 = 200;

/// Folders that mean something to Ansible; an archive that holds only one of these is not a packed folder.
const KNOWN: [&str; 9] =
    ["roles", "templates", "files", "tasks", "handlers", "vars", "group_vars", "host_vars", "library"];

/// Packs files.
///
/// # Errors
/// When one cannot be packed.
pub(super) fn pack(files: &[(String, Vec<u8>)]) -> anyhow::Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        let options = SimpleFileOptions::default().unix_permissions(0o644);
        writer.start_file(path.as_str(), options).with_context(|| format!("packing {path}"))?;
        writer.write_all(content).with_context(|| format!("packing {path}"))?;
    }
    Ok(writer.finish().context("closing an archive")?.into_inner())
}

/// Files by path, and what was left out.
type Read = (Vec<(String, Vec<u8>)>, Vec<String>);

/// Reads an archive. One folder around everything, as hosting sites and desktops pack, is taken off.
///
/// # Errors
/// [`Error::Invalid`] at `archive` with the first thing that is wrong.
pub(super) fn unpack(bytes: &[u8], locale: Locale) -> Result<Read> {
    let refused = |message: String| Error::invalid("archive", message);
    let unreadable = || refused(td_string!(locale, playbooks.files.no_archive).to_owned());
    let too_many = || refused(td_string!(locale, playbooks.files.limit, max = FILES_MAX.to_string()));
    let too_large = || refused(td_string!(locale, playbooks.files.size, max = (TOTAL_MAX >> 20).to_string()));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| unreadable())?;
    // Folders are entries too.
    if archive.len() > 2 * FILES_MAX {
        return Err(too_many());
    }
    let (mut files, mut left_out, mut total) = (Vec::new(), Vec::new(), 0_u64);
    for place in 0..archive.len() {
        let entry = archive.by_index(place).map_err(|_| unreadable())?;
        let Ok(path) = std::str::from_utf8(entry.name_raw()).map(str::to_owned) else {
            return Err(refused(td_string!(locale, playbooks.files.path, path = "?".to_owned())));
        };
        // What no program shows of an entry is no regular file: a link, a device, a socket.
        let is_regular = entry.unix_mode().is_none_or(|mode| matches!(mode & 0o170_000, 0 | 0o100_000 | 0o040_000));
        if entry.is_symlink() || !is_regular {
            return Err(refused(td_string!(locale, playbooks.files.link, path = shown(&path))));
        }
        if entry.encrypted() {
            return Err(refused(td_string!(locale, playbooks.files.encrypted).to_owned()));
        }
        if entry.is_dir() || path.ends_with('/') {
            check_shape(path.trim_end_matches('/'), locale).map_err(refused)?;
            continue;
        }
        check_shape(&path, locale).map_err(refused)?;
        if is_clutter(&path) {
            left_out.push(path);
            continue;
        }
        if files.len() >= FILES_MAX {
            return Err(too_many());
        }
        let packed = entry.compressed_size().max(1);
        let mut content = Vec::new();
        entry.take(TOTAL_MAX - total + 1).read_to_end(&mut content).map_err(|_| unreadable())?;
        total += content.len() as u64;
        if total > TOTAL_MAX {
            return Err(too_large());
        }
        if content.len() > 1 << 20 && content.len() as u64 / packed > RATIO_MAX {
            return Err(refused(td_string!(locale, playbooks.files.ratio, path = shown(&path))));
        }
        files.push((path, content));
    }
    take_off_folder(&mut files);
    let mut taken = BTreeSet::new();
    for (path, _) in &files {
        if path != PLAYBOOK && path != SURVEY {
            check_path(path, locale).map_err(refused)?;
        }
        if !taken.insert(path.as_str()) {
            return Err(refused(td_string!(locale, playbooks.files.twice, path = shown(path))));
        }
    }
    left_out.truncate(50);
    Ok((files, left_out))
}

/// What may never stand in an archive, whether it is taken or left out.
fn check_shape(path: &str, locale: Locale) -> Result<(), String> {
    let is_whole = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    let is_plain = !path.chars().any(|letter| letter.is_control() || letter == '\\');
    // A drive, as `C:/x`.
    let is_drive = path.as_bytes().get(1) == Some(&b':');
    if is_whole && is_plain && !is_drive {
        return Ok(());
    }
    Err(td_string!(locale, playbooks.files.path, path = shown(path)))
}

/// What desktops and version control put beside files.
fn is_clutter(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, ".git" | "__MACOSX" | ".DS_Store" | "__pycache__" | ".venv"))
}

/// Takes off the one folder that everything stands in, unless its name means something to Ansible.
fn take_off_folder(files: &mut [(String, Vec<u8>)]) {
    let Some((folder, _)) = files.first().and_then(|(path, _)| path.split_once('/')) else { return };
    let folder = format!("{folder}/");
    let means_something =
        KNOWN.iter().any(|known| folder.strip_suffix('/') == Some(known)) || folder.ends_with("_plugins/");
    if means_something || !files.iter().all(|(path, _)| path.starts_with(&folder)) {
        return;
    }
    for (path, _) in files {
        path.drain(..folder.len());
    }
}

fn shown(path: &str) -> String {
    path.chars().filter(|letter| !letter.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let files: Vec<_> = entries.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect();
        pack(&files).expect("it can be packed")
    }

    fn refused(bytes: &[u8]) -> String {
        match unpack(bytes, Locale::en) {
            Err(Error::Invalid { problems }) => {
                assert_eq!(problems[0].field, "archive");
                problems[0].message.clone()
            }
            other => panic!("it is refused: {:?}", other.map(|(files, _)| files.len())),
        }
    }

    #[test]
    fn what_was_packed_comes_out_again() {
        let files = [("playbook.yml", &b"- hosts: all\n"[..]), ("templates/a.j2", b"{{ x }}"), ("files/b", b"\0\xff")];

        let (read, left_out) = unpack(&zip_of(&files), Locale::en).expect("it is good");

        let expected: Vec<_> = files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect();
        assert_eq!(read, expected);
        assert_eq!(left_out, Vec::<String>::new());
    }

    #[test]
    fn one_folder_around_everything_is_taken_off_and_clutter_left_out() {
        let packed = zip_of(&[
            ("site-main/tasks.yml", b"a"),
            ("site-main/.git/config", b"b"),
            ("site-main/roles/web/tasks/main.yml", b"c"),
        ]);
        let (files, left_out) = unpack(&packed, Locale::en).expect("it is good");
        let paths: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["tasks.yml", "roles/web/tasks/main.yml"]);
        assert_eq!(left_out, ["site-main/.git/config"]);

        let (files, _) = unpack(&zip_of(&[("roles/web/tasks/main.yml", b"c")]), Locale::en).expect("it is good");
        assert_eq!(files[0].0, "roles/web/tasks/main.yml");
    }

    #[test]
    fn paths_that_lead_outside_are_refused() {
        for path in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "a//b",
            "a\\b",
            "..\\..\\x",
            "C:/x",
            "./a",
            "a/./b",
            "a\u{0}b",
            "a\nb",
            "ansible.cfg",
            "sub/ansible.cfg",
        ] {
            // The writer mends some of these, so the name is put into the bytes themselves.
            let stand_in = "z".repeat(path.len());
            let mut bytes = zip_of(&[("keep.txt", b"x"), (stand_in.as_str(), b"y")]);
            let needle = stand_in.as_bytes();
            let mut place = 0;
            while place + needle.len() <= bytes.len() {
                if &bytes[place..place + needle.len()] == needle {
                    bytes[place..place + needle.len()].copy_from_slice(path.as_bytes());
                }
                place += 1;
            }
            assert!(!refused(&bytes).is_empty(), "{path:?}");
        }
    }

    #[test]
    fn links_and_devices_are_refused() {
        for mode in [0o120_777, 0o060_644, 0o020_644, 0o010_644, 0o140_644] {
            let mut bytes = zip_of(&[("link", b"/etc/passwd")]);
            // The upper half of the external attributes in the central directory is the mode.
            let central = bytes.windows(4).rposition(|part| part == b"PK\x01\x02").expect("there is a directory");
            bytes[central + 5] = 3;
            bytes[central + 40..central + 42].copy_from_slice(&u16::try_from(mode).expect("a mode").to_le_bytes());
            assert!(refused(&bytes).contains("link"), "{mode:o}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![0; 10 << 20];
        assert!(refused(&zip_of(&[("bomb", &zeros)])).contains("bomb"));

        let three = zip_of(&[("a", &zeros), ("b", &zeros), ("c", &zeros)]);
        refused(&three);

        let names: Vec<String> = (0..=FILES_MAX).map(|number| format!("f{number}")).collect();
        let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
        assert!(refused(&zip_of(&many)).contains("2000"));
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let good = zip_of(&[("a", b"some text that is long enough to be cut")]);
        for bytes in [&b""[..], b"PK", b"words", &good[..good.len() / 2], &good[10..]] {
            refused(bytes);
        }
        let mut flipped = good.clone();
        flipped[30..40].iter_mut().for_each(|byte| *byte ^= 0x55);
        refused(&flipped);
    }
}
