// For tests: a certificate authority of their own, made when it is asked for, and what it certifies, in files.
#pragma once

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/scratch_file.h"

namespace carillon {

class CertificateAuthority {
 public:
  // A certificate and its key, as PEM.
  struct Issued {
    ScratchFile certificate{".crt"};
    ScratchFile key{".key"};
  };

  CertificateAuthority() : key_(EVP_EC_gen("P-256")), certificate_(make("Authority of a test", key_.get())) {
    add_extension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    sign(certificate_.get());
    write_certificate(file_.path(), certificate_.get());
  }

  // PEM: for those who are to trust it.
  const std::string& file() const { return file_.path(); }

  // For the names: "DNS:localhost,IP:127.0.0.1".
  std::unique_ptr<Issued> issue(const std::string& names) const {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate = make("somebody", key.get());
    add_extension(certificate.get(), NID_subject_alt_name, names);
    sign(certificate.get());
    auto issued = std::make_unique<Issued>();
    write_certificate(issued->certificate.path(), certificate.get());
    std::FILE* const file = std::fopen(issued->key.path().c_str(), "w");
    CHECK(PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    std::fclose(file);
    return issued;
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free>;
  using Certificate = std::unique_ptr<X509, Free>;

  // Valid from an hour ago to an hour from now.
  Certificate make(const std::string& name, EVP_PKEY* key) const {
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    static long serial = 1;
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509* const issuer = certificate_ ? certificate_.get() : certificate.get();
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
    X509_set_pubkey(certificate.get(), key);
    return certificate;
  }
  static void add_extension(X509* certificate, int kind, const std::string& text) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, text.c_str());
    CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
  }
  void sign(X509* certificate) const { CHECK(X509_sign(certificate, key_.get(), EVP_sha256()) > 0); }
  static void write_certificate(const std::string& path, X509* certificate) {
    std::FILE* const file = std::fopen(path.c_str(), "w");
    CHECK(file != nullptr && PEM_write_X509(file, certificate) == 1);
    std::fclose(file);
  }

  const Key key_;
  const Certificate certificate_;
  const ScratchFile file_{".crt"};
};

}  // namespace carillon
