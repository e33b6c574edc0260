// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"bytes"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// placeholder stands where a secret was.
const placeholder = "<redacted>"

// span is a part of a line: [from, to).
type span struct{ from, to int }

// shape is a secret that is known by what it looks like. The first group of re
// is the secret; hint is a lower-case text every match contains, which spares
// most lines the expression.
type shape struct {
	hint string
	re   *regexp.Regexp
	// random tells that only a match that looks random is a secret, because
	// the words around it also occur in prose.
	random bool
}

var shapes = []shape{
	{hint: "private key-----", re: regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(.+?)(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`)},
	// base64 of "-----BEGIN " and PRIVATE, RSA, EC, OPENSSH, ENCRYPTED or DSA,
	// as in client-key-data; certificates go on with "BDRVJU" and stay.
	{hint: "ls0tls1crudjti", re: regexp.MustCompile(`(LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0Eg|BFQyBQ|BPUEVOU1NI|BFTkNSWVBURUQ|BEU0Eg)[A-Za-z0-9+/=]*)`)},
	// base64 of "apiVersion": a whole kubeconfig or manifest in one value.
	{hint: "yxbpvmvyc2lvb", re: regexp.MustCompile(`(YXBpVmVyc2lvb[A-Za-z0-9+/=]{24,})`)},
	// base64 of `{"`: a JSON Web Token, also one that was cut, or credentials
	// in JSON.
	{hint: "eyj", re: regexp.MustCompile(`(eyJ[A-Za-z0-9_+/=-]{10,}(?:\.[A-Za-z0-9_=-]*)*)`)},
	// RFC 3986 section 3.2.1: userinfo ends at the last @ before the path.
	{hint: "://", re: regexp.MustCompile(`[A-Za-z]://([^/?#\s"'\\]+)@`)},
	{hint: "authorization", re: regexp.MustCompile(`(?i)authorization\\*["']?\s*[:=]\s*\[?\\*["']?((?:(?:bearer|basic|digest|token)\s+)?[^\s"'\\,{\[\]]{4,})`)},
	{hint: "bearer ", re: regexp.MustCompile(`(?i)\bbearer\s+([A-Za-z0-9._~+/=-]{8,})`), random: true},
	{hint: "basic ", re: regexp.MustCompile(`(?i)\bbasic\s+([A-Za-z0-9+/=]{8,})`), random: true},
	// What is left of a private key whose beginning was cut off.
	{hint: "private key-----", re: regexp.MustCompile(`^\s*([A-Za-z0-9+/=\\]+)-----END [A-Z0-9 ]*PRIVATE KEY-----`)},
}

// words end the names of secrets: "db_password", "--token", "clientSecret",
// "client-key-data". "secretName" and "tokenFile" do not end so, on purpose.
var words = []string{
	"password", "passwd", "passphrase", "secret", "token", "credential", "credentials",
	"api_key", "api-key", "apikey", "access_key", "access-key", "accesskey", "access_key_id", "access-key-id",
	"secret_key", "secret-key", "secretkey", "private_key", "private-key", "privatekey",
	"preshared_key", "preshared-key", "presharedkey", "fastopen_key", "encryption_key", "encryption-key",
	"key-data", "psk", "auth",
}

// secrets are the spans of a line that hold secrets, sorted and merged.
func secrets(line []byte) []span {
	lower := lowerASCII(line)
	var found []span
	for _, s := range shapes {
		if !bytes.Contains(lower, []byte(s.hint)) {
			continue
		}
		for _, m := range s.re.FindAllSubmatchIndex(line, -1) {
			value := span{m[2], m[3]}
			if !harmless(line[value.from:value.to]) && (!s.random || random(line[value.from:value.to])) {
				found = append(found, value)
			}
		}
	}
	for _, word := range words {
		for at := 0; ; {
			i := bytes.Index(lower[at:], []byte(word))
			if i < 0 {
				break
			}
			at += i + len(word)
			if value, ok := valueAfter(line, at-len(word), at); ok {
				found = append(found, value)
			}
		}
	}
	return merge(found)
}

// lowerASCII keeps every byte in its place, which bytes.ToLower does not for
// what is not UTF-8.
func lowerASCII(line []byte) []byte {
	lower := bytes.Clone(line)
	for i, b := range lower {
		if upper(b) {
			lower[i] = b + 'a' - 'A'
		}
	}
	return lower
}

func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 && s.from < merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// replace puts the placeholder in place of each span.
func replace(line []byte, spans []span) []byte {
	if len(spans) == 0 {
		return line
	}
	out := make([]byte, 0, len(line))
	at := 0
	for _, s := range spans {
		out = append(append(out, line[at:s.from]...), placeholder...)
		at = s.to
	}
	return append(out, line[at:]...)
}

// harmless tells whether what stands where a secret could stand is none: a
// boolean, a reference, a path, an address (Weave Net's IPAM ring has tokens
// that are), or a secret somebody replaced already.
func harmless(value []byte) bool {
	v := strings.ToLower(strings.Trim(string(value), ` "'\`))
	switch v {
	case "", "true", "false", "null", "nil", "none", "unset", "redacted", "string", "|", ">", "|-", ">-", "|+":
		return true
	}
	switch {
	case strings.HasPrefix(v, "<"), strings.HasPrefix(v, "$("), strings.HasPrefix(v, "${"), strings.HasPrefix(v, "[redacted"), strings.HasPrefix(v, "{"), strings.HasPrefix(v, "["):
		return true
	case strings.HasPrefix(v, "/") && strings.Count(v, "/") > 1 && !strings.ContainsAny(v, "+="):
		return true // a file
	}
	_, err := netip.ParseAddr(v)
	return err == nil || strings.Trim(v, "*.x-") == ""
}

// random tells a generated value from a word of prose: it has a digit among
// letters, or is long and mixes cases.
func random(value []byte) bool {
	var digits, uppers, lowers int
	for _, b := range value {
		switch {
		case b >= '0' && b <= '9':
			digits++
		case b >= 'A' && b <= 'Z':
			uppers++
		case b >= 'a' && b <= 'z':
			lowers++
		}
	}
	letters := uppers + lowers
	return len(value) >= 6 && digits > 0 && letters > 0 || len(value) >= 16 && uppers > 1 && lowers > 1
}
