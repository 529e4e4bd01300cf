//! Ansible's vault format: text that `ansible-playbook` opens with a vault password.
//!
//! Source: "Ansible Vault payload format 1.1" in the documentation of ansible-core 2.19.

use aws_lc_rs::{
    cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    hmac, pbkdf2,
};
use std::{fmt::Write as _, num::NonZeroU32};
use zeroize::Zeroizing;

const HEADER: &str = "$ANSIBLE_VAULT;1.1;AES256";
const ROUNDS: NonZeroU32 = NonZeroU32::new(10_000).expect("it is not zero");
const BLOCK: usize = 16;

/// Encrypts for Ansible: a header line, then lines of 80 hexadecimal digits, each with its end.
pub fn encrypt(plain: &[u8], password: &str) -> String {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).expect("the operating system gives random bytes");
    encrypt_with(plain, password, salt)
}

fn encrypt_with(plain: &[u8], password: &str, salt: [u8; 32]) -> String {
    let keys = Keys::derive(password, &salt);
    // PKCS#7: as many bytes as are missing to a whole block, each saying how many.
    let missing = BLOCK - plain.len() % BLOCK;
    let mut padded = Zeroizing::new(Vec::with_capacity(plain.len() + missing));
    padded.extend_from_slice(plain);
    padded.resize(plain.len() + missing, u8::try_from(missing).expect("a block has 16 bytes"));
    let key = UnboundCipherKey::new(&AES_256, keys.cipher()).expect("the key has 32 bytes");
    EncryptingKey::ctr(key)
        .and_then(|key| key.less_safe_encrypt(&mut padded, EncryptionContext::Iv128(keys.counter().into())))
        .expect("counter mode takes every length");
    let tag = hmac::sign(&keys.tag(), &padded);
    let parts = [hex(&salt), hex(tag.as_ref()), hex(&padded)].join("\n");

    let mut text = format!("{HEADER}\n");
    let digits = hex(parts.as_bytes());
    for start in (0..digits.len()).step_by(80) {
        text.push_str(&digits[start..digits.len().min(start + 80)]);
        text.push('\n');
    }
    text
}

/// What a password and a salt give: 32 bytes for the cipher, 32 for the tag and 16 for the counter.
struct Keys(Zeroizing<[u8; 80]>);

impl Keys {
    fn derive(password: &str, salt: &[u8]) -> Self {
        let mut keys = Zeroizing::new([0; 80]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, password.as_bytes(), keys.as_mut());
        Self(keys)
    }

    fn cipher(&self) -> &[u8] {
        &self.0[..32]
    }

    fn tag(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0[32..64])
    }

    fn counter(&self) -> [u8; BLOCK] {
        self.0[64..].try_into().expect("the counter has 16 bytes")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::cipher::{DecryptingKey, DecryptionContext};

    /// Made by `ansible-vault encrypt` of ansible-core 2.19.14 from [`PLAIN`] with the password "open sesame".
    const VECTOR: &str = "\
$ANSIBLE_VAULT;1.1;AES256
38363363396638616265316536663731343034303966616565396461626638666132303431333833
6639323833343432306561343236643839313965363562660a316535633063616461623236313165
63343766353939356266353836363564316138653139313564336662323363653032373935316163
6466343136373561310a353336376535386638363536393530623936303539613331613731306234
63643232356531356235303435356464313765313732353533323631663638373561613738363330
66303865323730343135396661636462616462343634626663663831393263373166636639336233
63623963353639363734653131323964626634663539636266346164633833326661336130646566
31366338626231393061
";
    const PLAIN: &str = "db_password: s3cret\n# größer als ein Block, damit die Auffüllung zählt\n";

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits"))
            .collect()
    }

    fn salt_of(text: &str) -> [u8; 32] {
        let inner = String::from_utf8(unhex(text.split_once('\n').expect("a header").1)).expect("digits");
        unhex(inner.split('\n').next().expect("a salt")).try_into().expect("32 bytes")
    }

    fn decrypt(text: &str, password: &str) -> Option<Vec<u8>> {
        let (header, body) = text.split_once('\n')?;
        assert_eq!(header, HEADER);
        let inner = String::from_utf8(unhex(body)).ok()?;
        let mut parts = inner.split('\n').map(unhex);
        let (salt, tag, mut sealed) = (parts.next()?, parts.next()?, parts.next()?);
        let keys = Keys::derive(password, &salt);
        hmac::verify(&keys.tag(), &sealed, &tag).ok()?;
        let key = DecryptingKey::ctr(UnboundCipherKey::new(&AES_256, keys.cipher()).ok()?).ok()?;
        key.decrypt(&mut sealed, DecryptionContext::Iv128(keys.counter().into())).ok()?;
        let padding = usize::from(*sealed.last()?);
        sealed.truncate(sealed.len() - padding);
        Some(sealed)
    }

    #[test]
    fn a_text_is_encrypted_as_ansible_vault_does() {
        assert_eq!(encrypt_with(PLAIN.as_bytes(), "open sesame", salt_of(VECTOR)), VECTOR);
    }

    #[test]
    fn every_length_opens_with_its_password_alone() {
        for length in [0, 1, 15, 16, 17, 1000] {
            let plain = vec![b'x'; length];

            let text = encrypt(&plain, "a");

            assert!(text.lines().all(|line| line.len() <= 80));
            assert_eq!(decrypt(&text, "a"), Some(plain));
            assert_eq!(decrypt(&text, "b"), None);
        }
        assert_ne!(encrypt(b"x", "a"), encrypt(b"x", "a"));
    }
}
