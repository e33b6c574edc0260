// SPDX-License-Identifier: Apache-2.0

package pseudonym

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mapping() *Mapping {
	return New([]byte("secret"), Names{
		Clusters: []string{"prod-eu"}, Nodes: []string{"worker-a.corp.example", "worker-b.corp.example"},
		Namespaces: []string{"payments", "network"}, Objects: []string{"ledger-7d9f8-x2x4z", "ledger", "pod"},
	})
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"worker-a.corp.example NotReady":                    "node-1 NotReady",
		"kubelet on worker-b.corp.example: payments/ledger": "kubelet on node-2: ns-1/obj-1",
		"ledger.payments.svc.cluster.local":                 "obj-1.ns-1.svc.cluster.local",
		"/var/log/pods/payments_ledger-7d9f8-x2x4z_0a1b/":   "/var/log/pods/ns-1_obj-2_0a1b/",
		"network is not ready, pod ledgers":                 "network is not ready, pod ledgers", // words, and another name
		"127.0.0.1:6784 ::1 fe80::1 0.0.0.0/0 169.254.1.1":  "127.0.0.1:6784 ::1 " + mapping().Text("fe80::1") + " 0.0.0.0/0 169.254.1.1",
		"at 10:03:12 version v1.36.3.4":                     "at 10:03:12 version v1.36.3.4",
		"ff:ff:ff:ff:ff:ff":                                 "ff:ff:ff:ff:ff:ff",
	} {
		if got := mapping().Text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	for _, private := range []string{"10.244.1.7", "192.168.3.4", "172.18.0.2", "fd00:10:244::7", "8.8.8.8", "2001:db8:1:2::3", "02:42:ac:12:00:02"} {
		if got := mapping().Text("via " + private + " dev"); strings.Contains(got, private) {
			t.Errorf("%s is still in %q", private, got)
		}
	}
	if a, b := mapping().Text("7.1.244.10.in-addr.arpa."), mapping().Text("10.244.1.7"); a != reverse(b)+".in-addr.arpa." {
		t.Errorf("the reverse name became %s, the address %s", a, b)
	}
}

func reverse(ip string) string {
	parts := strings.Split(ip, ".")
	return parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0]
}

// TestRanges: what holds an address, or overlaps a range, does so after.
func TestRanges(t *testing.T) {
	m := mapping()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		a := netip.AddrFrom4([4]byte{10, byte(random.IntN(256)), byte(random.IntN(256)), byte(random.IntN(256))})
		b := netip.AddrFrom4([4]byte{10, byte(random.IntN(4)), byte(random.IntN(4)), byte(random.IntN(256))})
		p := netip.PrefixFrom(b, 8+random.IntN(17)).Masked()
		mapped, err := netip.ParsePrefix(m.Text(p.String()))
		if err != nil {
			t.Fatalf("%s became no range: %v", p, err)
		}
		for _, ip := range []netip.Addr{a, b} {
			is := netip.MustParseAddr(m.Text(ip.String()))
			if p.Contains(ip) != mapped.Contains(is) {
				t.Fatalf("%s in %s is %t, and %s in %s is %t", ip, p, p.Contains(ip), is, mapped, mapped.Contains(is))
			}
			if !is.IsPrivate() || is.As4()[3] != ip.As4()[3] {
				t.Fatalf("%s became %s", ip, is)
			}
		}
	}
}

func TestCopy(t *testing.T) {
	from := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(from, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("evidence/pod.same-node/nodes/worker-a.corp.example/kubelet.log", `E1122 pod="payments/ledger-7d9f8-x2x4z" failed to reach 10.244.1.7`)
	write("evidence/pod.same-node/pods/payments/ledger-7d9f8-x2x4z/describe.txt", "Name:         ledger-7d9f8-x2x4z\nNamespace:    payments\nNode:         worker-a.corp.example/172.18.0.2\n")
	write("evidence/pod.same-node/cluster/services.yaml", "- metadata:\n    name: billing\n    namespace: payments\n")
	names, err := Find(from)
	if err != nil {
		t.Fatal(err)
	}
	names.Nodes = []string{"worker-a.corp.example"}
	m := New([]byte("secret"), names)
	to := filepath.Join(from, "pseudonymized")
	for range 2 { // again over the first copy, which is not copied itself
		if n, err := m.Copy(to, from); err != nil || n != 3 {
			t.Fatalf("copied %d files, %v, want 3", n, err)
		}
	}
	err = filepath.WalkDir(to, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(to, path)
		for _, secret := range []string{"payments", "ledger", "billing", "corp.example", "10.244.1.7", "172.18.0.2"} {
			if strings.Contains(rel+string(data), secret) {
				t.Errorf("%s: %q is still in it: %s", rel, secret, data)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(to, "evidence/pod.same-node/nodes/node-1/kubelet.log")); err != nil {
		t.Error(err)
	}
}
