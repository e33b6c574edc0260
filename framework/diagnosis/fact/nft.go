// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	nftTable = regexp.MustCompile(`^table (\S+) (\S+) \{`)
	nftChain = regexp.MustCompile(`^\s*chain (\S+) \{`)
	nftBase  = regexp.MustCompile(`^\s*type (\S+) hook (\S+)(?: devices? .*?)? priority ([^;]+);(?: policy (\w+);)?`)
)

// nftPriorities are nft's names for priorities (nft(8), table 6).
var nftPriorities = map[string]int{
	"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100,
}

// nftParser reads the output of nft list ruleset.
type nftParser struct {
	facts   *Facts
	filters map[bool]*Filter // by whether they are for IPv6 alone
	table   string
	v6      bool
	chain   *Chain
}

func (p *nftParser) line(q Quote) {
	text := q.Text
	switch {
	case strings.HasPrefix(text, "table "):
		p.begin(q)
	case p.table == "":
	case text == "}":
		p.table, p.chain = "", nil
	case p.chain == nil:
		if m := nftChain.FindStringSubmatch(text); m != nil {
			p.chain = &Chain{Table: p.table, Name: m[1], Quote: q}
			f := p.filter(q)
			f.Chains = append(f.Chains, p.chain)
		}
	case strings.TrimSpace(text) == "}":
		p.chain = nil
	case strings.HasPrefix(text, "\t\t"):
		p.statement(q)
	}
}

// withoutTwins drops nft's listing of tables that iptables-save of the same node
// lists without loss.
func withoutTwins(filters []*Filter) {
	listed := map[string]bool{}
	for _, f := range filters {
		for _, c := range f.Chains {
			if f.Tool == "iptables" {
				listed[f.Node+" "+f.family()+" "+c.Table] = true
			}
		}
	}
	for _, f := range filters {
		f.Chains = slices.DeleteFunc(f.Chains, func(c *Chain) bool { return f.Tool == "nft" && listed[f.Node+" "+c.Table] })
	}
}

// family is nft's name for it.
func (f *Filter) family() string {
	if f.V6 {
		return "ip6"
	}
	return "ip"
}

func (p *nftParser) begin(q Quote) {
	m := nftTable.FindStringSubmatch(q.Text)
	p.table, p.chain = "", nil
	if m != nil && (m[1] == "ip" || m[1] == "inet" || m[1] == "ip6") {
		p.table, p.v6 = m[1]+" "+m[2], m[1] == "ip6"
	}
}

func (p *nftParser) filter(q Quote) *Filter {
	if p.filters == nil {
		p.filters = map[bool]*Filter{}
	}
	f := p.filters[p.v6]
	if f == nil {
		f = &Filter{Tool: "nft", V6: p.v6, Quote: q}
		p.filters[p.v6] = f
		p.facts.Filters = append(p.facts.Filters, f)
	}
	return f
}

func (p *nftParser) statement(q Quote) {
	if m := nftBase.FindStringSubmatch(q.Text); m != nil {
		if m[1] == "filter" {
			p.chain.Hook = m[2]
		}
		p.chain.Priority = nftPriority(m[3])
		p.chain.Policy = strings.ToUpper(m[4])
		return
	}
	words := nftWords(q.Text)
	if len(words) == 0 {
		return
	}
	r := FilterRule{Quote: q}
	r.readNFT(words)
	p.chain.Rules = append(p.chain.Rules, r)
}

func nftPriority(text string) int {
	fields := strings.Fields(strings.NewReplacer("+", " + ", "-", " -").Replace(text))
	total, sign := 0, 1
	for _, field := range fields {
		if field == "+" {
			sign = 1
			continue
		}
		if n, known := nftPriorities[field]; known {
			total += n
			continue
		}
		if n, err := strconv.Atoi(field); err == nil {
			total += sign * n
		}
	}
	return total
}

// nftWords splits a rule into words; a set in braces is one word.
func nftWords(text string) []string {
	if cut := strings.Index(text, " # handle"); cut >= 0 {
		text = text[:cut]
	}
	text = strings.NewReplacer("{ ", "{", " }", "}", ", ", ",").Replace(text)
	words := quoted(strings.ReplaceAll(text, "\t", " "))
	for i, w := range words {
		words[i] = strings.Trim(w, "{}")
	}
	return words
}

// readNFT fills a rule from its words. What it does not know makes the match
// open, never wrong.
func (r *FilterRule) readNFT(words []string) {
	for i := 0; i < len(words); i++ {
		key := words[i]
		if i+1 < len(words) {
			switch key + " " + words[i+1] {
			case "ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr", "tcp dport", "udp dport", "th dport", "tcp sport",
				"udp sport", "ct state", "meta l4proto", "ip protocol", "meta iifname", "meta oifname":
				key += " " + words[i+1]
				i++
			}
		}
		switch key {
		case "accept", "drop", "reject", "return", "queue":
			r.Target = strings.ToUpper(key)
			return
		case "jump", "goto":
			r.Target = operandAt(words, i+1).text
			r.Goto = key == "goto"
			return
		case "counter":
			if i+2 < len(words) && words[i+1] == "packets" {
				r.Packets, _ = strconv.ParseUint(words[i+2], 10, 64)
				r.Counted = true
				i += 4
			}
			continue
		case "log", "comment":
			continue
		}
		o := operandAt(words, i+1)
		switch key {
		case "iif", "iifname", "meta iifname":
			r.In = o.matches()
		case "oif", "oifname", "meta oifname":
			r.Out = o.matches()
		case "ip saddr", "ip6 saddr":
			r.Src = r.prefixes(o)
		case "ip daddr", "ip6 daddr":
			r.Dst = r.prefixes(o)
		case "meta l4proto", "ip protocol":
			r.Protocols = o.matches()
		case "tcp dport", "udp dport", "th dport":
			r.DstPorts, r.NotPorts = ports(o.text), o.negate
			if proto := key[:3]; proto != "th " {
				r.Protocols = []match{{proto, false}}
			}
		case "tcp sport", "udp sport":
			r.SrcPorts = ports(o.text)
		case "ct state":
			states := strings.Split(strings.ToUpper(o.text), ",")
			if o.negate {
				r.NotStates = states
			} else {
				r.States = states
			}
		default:
			r.Unknown = true
			continue
		}
		i += o.words
	}
}

// operand is what a rule compares with: a value or a set of them.
type operand struct {
	text   string
	negate bool
	// words is how many it takes up.
	words int
}

func operandAt(words []string, i int) operand {
	var o operand
	if i < len(words) && words[i] == "!=" {
		o.negate, o.words = true, 1
		i++
	}
	if i < len(words) {
		o.text = words[i]
		o.words++
	}
	return o
}

func (o operand) matches() []match {
	var all []match
	for _, v := range strings.Split(o.text, ",") {
		all = append(all, match{v, o.negate})
	}
	return all
}

func (r *FilterRule) prefixes(o operand) []prefixMatch {
	var all []prefixMatch
	for _, v := range strings.Split(o.text, ",") {
		p, ok := prefix(v)
		if !ok {
			r.Unknown = true
			continue
		}
		all = append(all, prefixMatch{p, o.negate})
	}
	return all
}
