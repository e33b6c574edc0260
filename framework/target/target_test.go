// SPDX-License-Identifier: Apache-2.0

package target

import "testing"

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"example.test:8443":        "tcp://example.test:8443",
		"192.0.2.1:80":             "tcp://192.0.2.1:80",
		"[2001:db8::1]:80":         "tcp://[2001:db8::1]:80",
		"udp://192.0.2.1:8082":     "udp://192.0.2.1:8082",
		"http://192.0.2.1":         "http://192.0.2.1:80",
		"https://example.test/a/b": "https://example.test:443/a/b",
		"dns://[2001:db8::1]":      "dns://[2001:db8::1]:53",
	} {
		got, err := Parse(text)
		if err != nil || got.String() != want {
			t.Errorf("%s: %s, %v, wanted %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "example.test", "tcp://example.test", "icmp://192.0.2.1:1", "2001:db8::1:80", "https://user:secret@example.test",
		"udp://192.0.2.1:1/path", "http://:80", "example.test:port",
	} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q: %+v, wanted an error", text, got)
		}
	}
}

func TestIP(t *testing.T) {
	byName, _ := Parse("example.test:80")
	if ip, ok := byName.IP(); ok || byName.Host() != "example.test" {
		t.Errorf("a name is the address %s", ip)
	}
	byAddress, _ := Parse("[2001:db8::1]:80")
	if ip, ok := byAddress.IP(); !ok || !ip.Is6() {
		t.Errorf("address %s, %t", ip, ok)
	}
}
