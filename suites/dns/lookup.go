// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/fleet"
)

// atOnce is how many lookups of each kind a pod makes: of two replicas, a dead
// one goes unnoticed by one pod in 64.
const atOnce = 6

// lookups are the jobs of one pod for a name: of each type of address that is
// wanted, over UDP and over TCP.
func lookups(name string, wanted []netip.Addr) []job.Job {
	var jobs []job.Job
	for _, addr := range wanted {
		kind := "A"
		if addr.Is6() {
			kind = "AAAA"
		}
		for _, network := range []string{"udp", "tcp"} {
			for i := range atOnce {
				jobs = append(jobs, job.Job{
					ID: fmt.Sprintf("%s over %s #%d", kind, network, i), Kind: job.DNS, Name: name,
					Type: kind, Network: network, Search: []string{job.ResolvConf},
				})
			}
		}
	}
	return jobs
}

// fault is one way in which lookups of one kind went wrong.
type fault struct {
	// kind is what was asked for, e.g. "A over udp"; class the error's.
	kind, class string
	// example is what the first of them said, and asked the names it tried.
	example string
	asked   []string
	count   int
}

// wrongAnswer is the class of an answer without any of the wanted addresses.
const wrongAnswer = "wrong answer"

// misresolved are the faults of the answers, none when every one has a wanted
// address.
func misresolved(jobs []job.Job, answers fleet.Answers, wanted []netip.Addr) []fault {
	var faults []fault
	for _, j := range jobs {
		r := answers[j.ID]
		f := fault{kind: j.Type + " over " + j.Network, class: r.Error, example: r.Message, asked: r.Asked, count: 1}
		if r.OK {
			if slices.ContainsFunc(wanted, func(a netip.Addr) bool { return has(r.Answers, a) }) {
				continue
			}
			f.class, f.example = wrongAnswer, r.Server+" answered "+strings.Join(r.Answers, ", ")
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

// has tells whether a record of the answer, in presentation format, is for addr.
func has(answer []string, addr netip.Addr) bool {
	return slices.ContainsFunc(answer, func(record string) bool {
		fields := strings.Fields(record)
		got, err := netip.ParseAddr(fields[len(fields)-1])
		return err == nil && got == addr
	})
}

// onlyLost tells that every fault is a query without an answer.
func onlyLost(faults []fault) bool {
	return !slices.ContainsFunc(faults, func(f fault) bool { return f.class != job.TimedOut })
}

// words put the faults for people: how many of each, and the first in full.
func words(faults []fault) string {
	var list []string
	for i, f := range faults {
		count := fmt.Sprintf("%d of %d %s", f.count, atOnce, f.class)
		if i == 0 || faults[i-1].kind != f.kind {
			count = f.kind + ": " + count
		}
		list = append(list, count)
	}
	first := faults[0].example
	if class := faults[0].class; class == job.NXDomain || class == job.NoData {
		first += ", tried " + strings.Join(faults[0].asked, " ")
	}
	return fmt.Sprintf("%s (%s)", strings.Join(list, ", "), first)
}
