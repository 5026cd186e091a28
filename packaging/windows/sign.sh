#!/bin/sh
# Signs a DLL in place with Authenticode, by osslsigncode:
#
#     EPS_SIGN=packaging/windows/sign.sh cargo xtask package win-x64
#
# EPS_SIGN_P12            the certificate and its key, a PKCS#12 file
# EPS_SIGN_PASSWORD_FILE  the file with its password
# EPS_SIGN_TIMESTAMP      the address of a time stamp server; without it, the signature is valid only
#                         as long as the certificate
set -eu
osslsigncode sign -pkcs12 "$EPS_SIGN_P12" -readpass "$EPS_SIGN_PASSWORD_FILE" -h sha256 -n engage-point-shop \
    ${EPS_SIGN_TIMESTAMP:+-ts "$EPS_SIGN_TIMESTAMP"} -in "$1" -out "$1.signed"
mv "$1.signed" "$1"
