//! TLS: none, a certificate made here, or one from files.

use super::config::{Config, TlsMode};
use crate::authentication::server::secret::write_private;
use anyhow::{Context as _, bail};
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long a certificate made here is valid; browsers refuse much longer ones.
const LIFE: Duration = Duration::from_secs(397 * 24 * 3600);

/// How long before its end a new one is made.
const SPARE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Refuses to speak plain HTTP to anybody but this machine, unless a trusted proxy protects it.
///
/// # Errors
/// A sentence with the three ways out.
pub fn check(config: &Config) -> anyhow::Result<()> {
    let address = config.server.address;
    if config.tls.mode == TlsMode::Off && !address.ip().is_loopback() && config.server.trusted_proxies.is_empty() {
        bail!(
            "server.address {address} can be reached from other machines, and without TLS passwords would travel in \
             the clear. Set tls.mode to \"self-signed\" or \"files\", or name the proxy that adds TLS in \
             server.trusted_proxies, or listen on 127.0.0.1"
        );
    }
    Ok(())
}

/// The TLS side of the server; `None` when it speaks plain HTTP.
///
/// # Errors
/// When certificate or key cannot be made, read, or do not fit.
pub async fn load(config: &Config) -> anyhow::Result<Option<RustlsConfig>> {
    let (certificate, key) = match config.tls.mode {
        TlsMode::Off => return Ok(None),
        TlsMode::Files => {
            if config.tls.certificate.as_os_str().is_empty() || config.tls.key.as_os_str().is_empty() {
                bail!("tls.mode is \"files\", so tls.certificate and tls.key must name the certificate and its key");
            }
            (config.tls.certificate.clone(), config.tls.key.clone())
        }
        TlsMode::SelfSigned => {
            let (certificate, key) = (config.data.dir.join("tls.pem"), config.data.dir.join("tls-key.pem"));
            if !is_fresh(&certificate) || !key.exists() {
                make(config, &certificate, &key)?;
            }
            (certificate, key)
        }
    };
    // A second server in one process has the same provider already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let loaded = RustlsConfig::from_pem_file(&certificate, &key).await;
    let paths = || format!("reading the certificate {} and its key {}", certificate.display(), key.display());
    loaded.with_context(paths).map(Some)
}

/// What this machine calls itself; `localhost` where it does not say.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() || name == "(none)" { "localhost".to_owned() } else { name.to_owned() }
}

/// Speaks TLS with the server on this machine, whatever its certificate says.
///
/// One made here, or made for the name that people use, proves nothing at the address of a loopback. Nothing
/// secret is sent and a yes or no comes back, so all that matters is that whoever listens speaks TLS.
///
/// # Errors
/// When it does not.
pub async fn connect_here(stream: TcpStream, address: IpAddr) -> anyhow::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .context("preparing TLS")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let connected = TlsConnector::from(Arc::new(client)).connect(ServerName::from(address), stream).await;
    connected.context("speaking TLS")
}

/// Takes every certificate whose key the other side holds; for [`connect_here`] alone.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn is_fresh(certificate: &Path) -> bool {
    let made = std::fs::metadata(certificate).and_then(|metadata| metadata.modified());
    made.is_ok_and(|made| made.elapsed().unwrap_or_default() < LIFE - SPARE)
}

fn make(config: &Config, certificate: &Path, key: &Path) -> anyhow::Result<()> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let address = config.server.address.ip();
    if !address.is_unspecified() {
        names.push(address.to_string());
    }
    names.push(host_name());
    if let Some(host) =
        config.server.public_url.parse::<axum::http::Uri>().ok().as_ref().and_then(axum::http::Uri::host)
    {
        names.push(host.trim_matches(['[', ']']).to_owned());
    }
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    let mut params = CertificateParams::new(names).context("naming the certificate")?;
    params.distinguished_name.push(DnType::CommonName, "Muelle");
    params.not_before = time::OffsetDateTime::now_utc() - Duration::from_secs(24 * 3600);
    params.not_after = params.not_before + LIFE;
    let pair = KeyPair::generate().context("making a key for TLS")?;
    let signed = params.self_signed(&pair).context("signing the certificate")?;
    write_private(key, pair.serialize_pem().as_bytes())?;
    write_private(certificate, signed.pem().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::from_text(text).expect("the configuration is good")
    }

    #[test]
    fn plain_http_is_for_this_machine_or_behind_a_trusted_proxy() {
        for good in [
            "server.address = \"127.0.0.1:3000\"",
            "server.address = \"[::1]:3000\"",
            "server.address = \"0.0.0.0:3000\"\ntls.mode = \"self-signed\"",
            "server.address = \"0.0.0.0:3000\"\nserver.trusted_proxies = [\"10.0.0.0/8\"]",
        ] {
            assert!(check(&config(good)).is_ok(), "{good}");
        }
        let refused = check(&config("server.address = \"0.0.0.0:3000\"")).expect_err("it is refused").to_string();
        assert!(refused.contains("tls.mode") && refused.contains("trusted_proxies"), "{refused}");
    }

    #[tokio::test]
    async fn a_certificate_is_made_once_and_its_key_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = config(&format!("data.dir = {:?}\ntls.mode = \"self-signed\"", folder.path()));

        load(&config).await.expect("it is made").expect("there is one");
        let first = std::fs::read(folder.path().join("tls.pem")).expect("it is there");
        load(&config).await.expect("it is read").expect("there is one");
        let again = std::fs::read(folder.path().join("tls.pem")).expect("it is there");
        let key = std::fs::metadata(folder.path().join("tls-key.pem")).expect("it is there");

        assert_eq!(first, again);
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_certificate_that_is_not_there_is_named() {
        let config =
            config("tls.mode = \"files\"\ntls.certificate = \"/nowhere/cert.pem\"\ntls.key = \"/nowhere/key.pem\"");

        let refused = load(&config).await.expect_err("it is not there");

        assert!(format!("{refused:#}").contains("/nowhere/cert.pem"));
    }
}
