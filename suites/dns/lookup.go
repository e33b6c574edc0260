// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/fleet"
)

// lookup is a name to ask for, and what is right to answer.
type lookup struct {
	// name is looked up as a C library would, with the nameservers, search list
	// and ndots of the pod's own resolv.conf.
	name, kind string
	// edns is the size of UDP answers to advertise; 0 is a plain query.
	edns int
	// wanted is the right answer in words, right whether a result is one.
	wanted string
	right  func(job.Result) bool
}

// of are the lookups of a name that has all of the addresses: one for each
// family.
func of(name string, addrs []netip.Addr) []lookup {
	families := map[string][]netip.Addr{}
	for _, addr := range addrs {
		families[recordType(addr)] = append(families[recordType(addr)], addr)
	}
	var lookups []lookup
	for _, kind := range []string{"A", "AAAA"} {
		wanted := families[kind]
		if len(wanted) == 0 {
			continue
		}
		lookups = append(lookups, lookup{name: name, kind: kind, wanted: list(wanted), right: func(r job.Result) bool {
			return r.OK && !slices.ContainsFunc(wanted, func(a netip.Addr) bool { return !has(r.Answers, a) })
		}})
	}
	return lookups
}

// recordType is the type of record that holds the address.
func recordType(addr netip.Addr) string {
	if addr.Is6() {
		return "AAAA"
	}
	return "A"
}

// list puts addresses into words, the first few of many.
func list(addrs []netip.Addr) string {
	if few := 4; len(addrs) > few {
		return fmt.Sprintf("%d addresses, %v ...", len(addrs), addrs[:few])
	}
	return fmt.Sprint(addrs)
}

// has tells whether a record of the answer, in presentation format, is for addr.
func has(answer []string, addr netip.Addr) bool {
	return slices.ContainsFunc(answer, func(record string) bool {
		fields := strings.Fields(record)
		got, err := netip.ParseAddr(fields[len(fields)-1])
		return err == nil && got == addr
	})
}

// jobs are the lookups of one pod: each over UDP, going on over TCP where the
// answer is truncated as a C library does, and over TCP; times of each at once.
func jobs(lookups []lookup, times int, after time.Duration) []job.Job {
	var all []job.Job
	for i, l := range lookups {
		for _, network := range []string{"", "tcp"} {
			for n := range times {
				all = append(all, job.Job{
					ID: fmt.Sprintf("%d %s %s over %s #%d", i, l.name, l.kind, over(network), n), Kind: job.DNS,
					Name: l.name, Type: l.kind, Network: network, EDNS: l.edns, Search: []string{job.ResolvConf}, After: after,
				})
			}
		}
	}
	return all
}

func over(network string) string {
	if network == "" {
		return "udp"
	}
	return network
}

// fault is one way in which lookups of one kind went wrong.
type fault struct {
	// kind is what was asked for, e.g. "A over udp"; class the error's.
	kind, class string
	// example is what the first of them said, and asked the names it tried.
	example string
	asked   []string
	// count is how many of how many went wrong so.
	count, of int
}

// wrongAnswer is the class of an answer that is not the one wanted.
const wrongAnswer = "wrong answer"

// misresolved are the faults of the answers to jobs(lookups, times, ...), none
// when every one is right.
func misresolved(lookups []lookup, times int, answers fleet.Answers) []fault {
	var faults []fault
	for at, j := range jobs(lookups, times, 0) {
		l, r := lookups[at/(2*times)], answers[j.ID]
		if l.right(r) {
			continue
		}
		f := fault{kind: l.kind + " over " + over(j.Network), class: r.Error, example: r.Message, asked: r.Asked, count: 1, of: times}
		if l.edns > 0 {
			f.kind += fmt.Sprintf(" with EDNS %d", l.edns)
		}
		if l.name != lookups[0].name {
			f.kind = l.name + " " + f.kind
		}
		if r.OK {
			f.class, f.example = wrongAnswer, r.Server+" answered "+first(r.Answers)
		}
		i := slices.IndexFunc(faults, func(known fault) bool { return known.kind == f.kind && known.class == f.class })
		if i < 0 {
			faults = append(faults, f)
			continue
		}
		faults[i].count++
	}
	return faults
}

// first are the records, the first few of many.
func first(records []string) string {
	if few := 4; len(records) > few {
		return fmt.Sprintf("%d records: %s, ...", len(records), strings.Join(records[:few], ", "))
	}
	return strings.Join(records, ", ")
}

// onlyLost tells that every fault is a query without an answer.
func onlyLost(faults []fault) bool {
	return !slices.ContainsFunc(faults, func(f fault) bool { return f.class != job.TimedOut })
}

// words put the faults for people: how many of each, and the first in full.
func words(faults []fault) string {
	var list []string
	for i, f := range faults {
		count := fmt.Sprintf("%d of %d %s", f.count, f.of, f.class)
		if i == 0 || faults[i-1].kind != f.kind {
			count = f.kind + ": " + count
		}
		list = append(list, count)
	}
	one := faults[0].example
	if class := faults[0].class; class == job.NXDomain || class == job.NoData {
		one += ", tried " + strings.Join(faults[0].asked, " ")
	}
	return fmt.Sprintf("%s (%s)", strings.Join(list, ", "), one)
}
