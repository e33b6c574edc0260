// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"
)

// parse feeds text to a parser, line by line as a file is read.
func parse(text string, p lineParser) {
	for i, line := range strings.Split(text, "\n") {
		p.line(Quote{File: "nodes/w/f.txt", Line: i + 1, Text: line})
	}
}

// checkQuotes fails when a quote is of no line of the text.
func checkQuotes(t *testing.T, text string, quotes ...Quote) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for _, q := range quotes {
		if q.Line < 1 || q.Line > len(lines) {
			t.Errorf("quote of line %d of %d", q.Line, len(lines))
		}
	}
}

func FuzzLinks(f *testing.F) {
	f.Add(ipAddr)
	f.Fuzz(func(t *testing.T, text string) {
		facts := &Facts{}
		parse(text, newLinkParser(facts))
		for _, l := range facts.Links {
			checkQuotes(t, text, l.Quote)
			l.Overhead()
		}
	})
}

func FuzzRoutes(f *testing.F) {
	f.Add("unicast default via 172.18.0.1 dev eth0 table main\n10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink mtu 1400")
	f.Fuzz(func(t *testing.T, text string) {
		facts := &Facts{}
		parse(text, &routeParser{facts})
		for _, r := range facts.Routes {
			checkQuotes(t, text, r.Quote)
			if !r.Dst.IsValid() {
				t.Errorf("%q: a route without destination", r.Quote.Text)
			}
		}
		facts.RouteTo("", netip.MustParseAddr("10.244.0.9"))
	})
}

func FuzzSysctls(f *testing.F) {
	f.Add("net.ipv4.ip_forward = 0")
	f.Fuzz(func(t *testing.T, text string) {
		facts := &Facts{}
		parse(text, &sysctlParser{facts})
		parse(text, &unitParser{facts: facts})
		for _, s := range facts.Sysctls {
			checkQuotes(t, text, s.Quote)
		}
	})
}

func FuzzIPTables(f *testing.F) {
	f.Add(health)
	f.Add("*filter\n:FORWARD DROP [1:2]\n-A FORWARD ! -i x -m multiport --dports 1:2,3 -g FORWARD\nCOMMIT")
	f.Fuzz(func(t *testing.T, text string) {
		facts := &Facts{}
		parse(text, &iptablesParser{facts: facts})
		for _, filter := range facts.Filters {
			d := filter.Judge(podPacket, "prerouting", "forward", "input", "output")
			if d.Dropped && d.Chain == nil {
				t.Error("a packet is dropped by no chain")
			}
		}
	})
}

func FuzzNFT(f *testing.F) {
	f.Add("table inet s {\n\tchain f {\n\t\ttype filter hook forward priority -10; policy drop;\n\t\tip saddr { 10.0.0.0/8, 1.1.1.1 } tcp dport != 1-2 counter packets 1 bytes 2 jump f\n\t}\n}")
	f.Fuzz(func(t *testing.T, text string) {
		facts := &Facts{}
		parse(text, &nftParser{facts: facts})
		for _, filter := range facts.Filters {
			filter.Judge(podPacket, "prerouting", "forward")
		}
	})
}

func FuzzDirs(f *testing.F) {
	f.Add("/etc/cni/net.d:\ntotal 4\n-rw------- 1 root root 582 Nov 22 14:35 10-calico.conflist")
	f.Fuzz(func(t *testing.T, text string) {
		facts := &Facts{}
		parse(text, &dirParser{facts: facts})
		for _, d := range facts.Dirs {
			checkQuotes(t, text, d.Quote)
		}
	})
}

func FuzzTables(f *testing.F) {
	f.Add("NAMESPACE   NAME   READY   STATUS    RESTARTS   AGE\nd   p-1   0/1   Pending   0   1m\n\nLAST SEEN   TYPE   REASON   OBJECT   MESSAGE\n1m   Warning   X   pod/p-1   y")
	f.Add("NAME   STATUS   ROLES   VERSION\nn   Ready   x   v1\n\nNAME   TYPE   CLUSTER-IP   PORT(S)   SELECTOR\ns   x   1.1.1.1   80/TCP   a=b")
	f.Fuzz(func(t *testing.T, text string) {
		facts := &Facts{}
		p := &tableParser{facts: facts}
		for i, line := range strings.Split(text, "\n") {
			p.line(Quote{Line: i + 1, Text: line})
		}
		for _, pod := range mergePods(facts.Pods, mergeNodes(facts.Nodes)) {
			checkQuotes(t, text, pod.Quote)
		}
	})
}

func FuzzDescribe(f *testing.F) {
	f.Add("Name: a\nNamespace: b\nNode: c/1\nStatus: Running\n  Ready: True\n\nName: n\nRoles: x\nPodCIDR: 10.0.0.0/24\n\nName: s\nSelector: a=b\nPort: x 80/TCP\nTargetPort: y/TCP\nEndpoints: 1")
	f.Fuzz(func(t *testing.T, text string) {
		p := &describeParser{facts: &Facts{}, podAt: -1, nodeAt: -1}
		for i, line := range strings.Split(text, "\n") {
			p.line(Quote{Line: i + 1, Text: line})
		}
	})
}

func FuzzDocuments(f *testing.F) {
	f.Add(objectsYAML, "cluster/x.yaml")
	f.Add("{\n\"name\":\"x\",\n\"plugins\":[{\"type\":\"a\"}]\n}", "nodes/a/files/etc/cni/net.d/1.conflist")
	f.Fuzz(func(t *testing.T, text, file string) {
		facts := &Facts{}
		p := &documentParser{facts: facts, file: file}
		for i, line := range strings.Split(text, "\n") {
			p.line(Quote{File: file, Line: i + 1, Text: line})
		}
		p.end()
		for _, w := range facts.Workloads {
			checkQuotes(t, text, w.Quote)
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte(`{"version":1,"items":[{"path":"a","node":"b"}]}`))
	f.Add([]byte(`{"id":"x","failures":[{"node":"n"}]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		readManifest(data)
		if c := readCheck(data, "check.json"); c != nil {
			c.Names("x")
		}
	})
}

func FuzzStamps(f *testing.F) {
	f.Add("Nov 22 14:45:25 w1 kubelet[1]: E1122 14:45:25.1 1 x.go:1] x")
	f.Fuzz(func(_ *testing.T, line string) {
		inYear(stamp(line), stamp("2026-11-22T14:45:25Z"))
		age(line)
		placeOf(line)
	})
}

func FuzzClean(f *testing.F) {
	f.Add(`err="a \\\"b\\\" \n"`)
	f.Fuzz(func(t *testing.T, text string) {
		if got := clean(text); strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Errorf("clean(%q) moves lines: %q", text, got)
		}
		if utf8.ValidString(text) && !utf8.ValidString(clean(text)) {
			t.Errorf("clean(%q) breaks characters", text)
		}
	})
}

// FuzzGather reads any bytes as a file of any name.
func FuzzGather(f *testing.F) {
	f.Add([]byte("the bridge cni0 is gone"), "nodes/a/kubelet.log")
	f.Add([]byte("\xff\xfea\x00b\x00"), "x.json")
	f.Add([]byte("\x1f\x8b\x08"), "pods/a_b_c/0.log")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		facts := Gather([]File{stream(name, bytes.NewReader(data))})
		for _, s := range facts.Sayings {
			for _, sample := range s.Samples {
				if sample.Quote.Line < 1 || !utf8.ValidString(sample.Quote.Text) {
					t.Errorf("quote %+v", sample.Quote)
				}
			}
		}
	})
}
