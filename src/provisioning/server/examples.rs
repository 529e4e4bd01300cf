//! Playbooks to start from, which run as they are.

use crate::{
    i18n::{Locale, td_string},
    provisioning::books::Example,
};

/// The examples, the simplest first.
pub fn all(locale: Locale) -> Vec<Example> {
    let example = |key: &str, name: &str, description: &str, content: &str, survey: Option<&str>| Example {
        key: key.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        content: content.to_owned(),
        survey: survey.map(str::to_owned),
    };
    vec![
        example(
            "ping",
            td_string!(locale, playbooks.examples.ping),
            td_string!(locale, playbooks.examples.ping_text),
            include_str!("examples/ping.yml"),
            None,
        ),
        example(
            "packages",
            td_string!(locale, playbooks.examples.packages),
            td_string!(locale, playbooks.examples.packages_text),
            include_str!("examples/packages.yml"),
            Some(include_str!("examples/packages.survey.yml")),
        ),
        example(
            "user",
            td_string!(locale, playbooks.examples.user),
            td_string!(locale, playbooks.examples.user_text),
            include_str!("examples/user.yml"),
            Some(include_str!("examples/user.survey.yml")),
        ),
        example(
            "docker",
            td_string!(locale, playbooks.examples.docker),
            td_string!(locale, playbooks.examples.docker_text),
            include_str!("examples/docker.yml"),
            Some(include_str!("examples/docker.survey.yml")),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{provisioning::server::survey, storage::yaml};

    #[test]
    fn every_example_is_a_playbook_with_a_good_survey() {
        for locale in [Locale::en, Locale::es] {
            for example in all(locale) {
                assert_eq!(yaml::playbook(&example.content, locale), Ok(()), "{}", example.key);
                survey::questions(example.survey.as_deref(), locale).expect(&example.key);
            }
        }
    }
}
