// SPDX-License-Identifier: Apache-2.0

package pseudonym

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// addresses replaces addresses so that two share as many leading bits after as
// before (the idea of Crypto-PAn, Xu, Fan, Ammar and Moon 2002, here with
// HMAC-SHA256). What tells the kind of an address stays: loopback, link-local,
// multicast and unspecified ones as a whole, of others the bits that make them
// private (RFC 1918, RFC 4193, RFC 6598), of an IPv4 address the first octet, and
// the last octet or group, which tells a network from its first host.
type addresses struct {
	key []byte
	// known are those replaced before.
	known *sync.Map
}

var (
	four = regexp.MustCompile(`\b(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(/\d{1,2}\b)?`)
	// six has at least two colons and a hexadecimal group; what is a time of day or
	// a MAC address is told apart by parsing.
	six = regexp.MustCompile(`[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(/\d{1,3}\b)?`)
	mac = regexp.MustCompile(`\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b`)
	// reversed are names below in-addr.arpa.
	reversed = regexp.MustCompile(`\b(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(\.in-addr\.arpa)`)
)

func (a addresses) text(text string) string {
	const held = "\x00"
	text = reversed.ReplaceAllStringFunc(text, func(name string) string {
		parts := strings.SplitN(name, ".", 5)
		is := strings.Split(a.ip(parts[3]+"."+parts[2]+"."+parts[1]+"."+parts[0]), ".")
		if len(is) != 4 {
			return name
		}
		// Held apart from the pattern for addresses, which it fits too.
		return is[3] + "." + is[2] + held + "." + is[1] + "." + is[0] + "." + parts[4]
	})
	text = four.ReplaceAllStringFunc(text, a.one)
	text = mac.ReplaceAllStringFunc(text, a.mac)
	text = six.ReplaceAllStringFunc(text, a.one)
	return strings.ReplaceAll(text, held, "")
}

// one replaces an address or a range.
func (a addresses) one(text string) string {
	ip, bits, isRange := strings.Cut(text, "/")
	is := a.ip(ip)
	if !isRange {
		return is
	}
	// A range's address stays one: without bits behind the mask.
	if p, err := netip.ParsePrefix(text); err == nil && p == p.Masked() {
		if n, err := netip.ParsePrefix(is + "/" + bits); err == nil {
			return n.Masked().String()
		}
	}
	return is + "/" + bits
}

func (a addresses) ip(text string) string {
	if is, ok := a.known.Load(text); ok {
		return is.(string)
	}
	is := a.replaced(text)
	a.known.Store(text, is)
	return is
}

func (a addresses) replaced(text string) string {
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.IsLoopback() || ip.IsMulticast() || ip.IsUnspecified() || ip.Is4() && (ip.IsLinkLocalUnicast() || ip.As4()[0] == 0 || ip.As4()[0] >= 240) {
		return text
	}
	bytes := ip.AsSlice()
	first, end := 8, len(bytes)*8-8
	switch {
	case ip.Is6() && ip.IsLinkLocalUnicast():
		first, end = 64, 112
	case ip.Is6():
		first, end = 16, 112
	case bytes[0] == 192 && bytes[1] == 168:
		first = 16
	case bytes[0] == 172 && bytes[1]>>4 == 1:
		first = 12
	case bytes[0] == 100 && bytes[1]>>6 == 1:
		first = 10
	}
	was := append([]byte{}, bytes...)
	for i := first; i < end; i++ {
		if a.flip(was, i) {
			bytes[i/8] ^= 1 << (7 - i%8)
		}
	}
	replaced, _ := netip.AddrFromSlice(bytes)
	return replaced.String()
}

// flip is a secret function of the bits before bit i.
func (a addresses) flip(bytes []byte, i int) bool {
	prefix := append([]byte{}, bytes[:i/8+1]...)
	prefix[i/8] &= ^byte(0) << (8 - i%8)
	h := hmac.New(sha256.New, a.key)
	h.Write([]byte(strconv.Itoa(len(bytes)) + "/" + strconv.Itoa(i) + "/"))
	h.Write(prefix)
	return h.Sum(nil)[0]&1 == 1
}

// mac replaces a link's address but for its first byte, which tells whether it
// was made up (IEEE 802c) or is a group's.
func (a addresses) mac(text string) string {
	lower := strings.ToLower(text)
	if lower == "ff:ff:ff:ff:ff:ff" || lower == "00:00:00:00:00:00" {
		return text
	}
	h := hmac.New(sha256.New, a.key)
	h.Write([]byte("mac/" + lower))
	sum := h.Sum(nil)
	parts := []string{lower[:2]}
	for _, b := range sum[:5] {
		const digits = "0123456789abcdef"
		parts = append(parts, string([]byte{digits[b>>4], digits[b&15]}))
	}
	return strings.Join(parts, ":")
}
