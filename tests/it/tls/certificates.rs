//! Authorities and certificates made for one test.

use std::fs;
use std::path::PathBuf;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameRef};
use uuid::Uuid;

/// A certificate and its key.
pub struct Certificate {
    certificate: X509,
    key: PKey<Private>,
}

impl Certificate {
    /// An authority that nobody knows yet.
    pub fn authority() -> Self {
        let key = key();
        let name = name(&format!("test authority {}", Uuid::new_v4().simple()));
        let mut builder = builder(&name, &name, &key);
        for extension in [
            BasicConstraints::new().critical().ca().build().unwrap(),
            KeyUsage::new().critical().key_cert_sign().build().unwrap(),
        ] {
            builder.append_extension(extension).unwrap();
        }
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        Self { certificate, key }
    }

    /// A server's certificate, for the host name and no other.
    pub fn of_server(authority: &Self, host: &str) -> Self {
        let key = key();
        let mut builder = builder(
            &name("test server"),
            authority.certificate.subject_name(),
            &key,
        );
        let context = builder.x509v3_context(Some(&authority.certificate), None);
        let host = SubjectAlternativeName::new().dns(host).build(&context);
        builder.append_extension(host.unwrap()).unwrap();
        builder
            .sign(&authority.key, MessageDigest::sha256())
            .unwrap();
        let certificate = builder.build();
        Self { certificate, key }
    }

    pub fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    pub fn key_pem(&self) -> String {
        String::from_utf8(self.key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    }
}

/// A file that is gone after the test.
pub struct File(PathBuf);

impl File {
    pub fn new(content: &str) -> Self {
        let name = format!("tls-{}", Uuid::new_v4().simple());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, content).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn name(common: &str) -> X509Name {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", common).unwrap();
    name.build()
}

fn builder(subject: &X509NameRef, issuer: &X509NameRef, key: &PKey<Private>) -> X509Builder {
    let mut serial = BigNum::new().unwrap();
    serial.rand(127, MsbOption::MAYBE_ZERO, false).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder
        .set_serial_number(&serial.to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    let (from, to) = (Asn1Time::days_from_now(0), Asn1Time::days_from_now(2));
    builder.set_not_before(&from.unwrap()).unwrap();
    builder.set_not_after(&to.unwrap()).unwrap();
    builder
}
