// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/cniproof/cniproof/fixtures/probe/job"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
	"github.com/cniproof/cniproof/framework/probe"
)

// row is one line of a truth table: what a client is to find.
type row struct {
	from probe.Pod
	// node is where it is enforced.
	node string
	// what is the way, for people.
	what string
	job  job.Job
	// open tells that it is to be answered.
	open bool
}

// rows are one for each kind of echo at the pod's first address.
func rows(from, to probe.Pod, node string, open bool, kinds ...string) []row {
	ports := map[string]int{job.TCP: job.PortTCP, job.UDP: job.PortUDP, job.Connect: job.PortHTTP}
	var all []row
	for _, ip := range to.IPs {
		for _, kind := range kinds {
			if !fleet.SameFamily(from, ip) {
				continue
			}
			all = append(all, row{
				from: from, node: node, open: open, what: fmt.Sprintf("%s from %s/%s to %s/%s", kind, from.Namespace, from.Name, to.Namespace, to.Name),
				job: job.Job{Kind: kind, Address: net.JoinHostPort(ip, strconv.Itoa(ports[kind]))},
			})
		}
	}
	return all
}

// experiment is a policy and what is to come of it.
type experiment struct {
	name string
	// nodes says where the lab's pods go: one or every.
	nodes func(env *check.Env, name string) []string
	// others starts pods that the policy does not select, on the lab's first
	// node; nil where none are needed.
	others func(ctx context.Context, env *check.Env, node string) (*lab, error)
	policy func(l *lab) networkingv1.NetworkPolicySpec
	table  func(l *lab) []row
}

// run makes one attempt: every way is open without the policy, and as the table
// says with it.
func (e experiment) run(ctx context.Context, env *check.Env) error {
	if err := enforces(env); err != nil {
		return err
	}
	nodes := e.nodes(env, e.name)
	if len(nodes) == 0 {
		return &check.Inconclusive{Why: "no probe pod is ready to talk to the pods that a policy would select"}
	}
	l, err := open(ctx, env, e.name, nodes...)
	if err != nil {
		return err
	}
	if e.others != nil {
		others, err := e.others(ctx, env, nodes[0])
		if err != nil {
			return err
		}
		l.others = others.pods
	}
	table := e.table(l)
	if err := before(ctx, env, table); err != nil {
		return err
	}
	if err := l.apply(ctx, e.policy(l)); err != nil {
		return err
	}
	return after(ctx, env, table)
}

// before is nil when every way is open, as long as there is no policy.
func before(ctx context.Context, env *check.Env, table []row) error {
	results, err := ask(ctx, env, table, func(row) job.Job {
		return job.Job{Until: job.Answered, Within: env.Timeouts.Programmed}
	})
	errs := []error{err}
	for i, r := range results {
		if !r.OK {
			errs = append(errs, &check.Inconclusive{Node: table[i].node, Why: fmt.Sprintf("%s was not answered before there was a policy: %s", table[i].what, fleet.Says(r))})
		}
	}
	return errors.Join(errs...)
}

// silence is how long a packet that is dropped is waited for.
var silence = config.DefaultTimeouts().ProbeJob / 4

// after has every client try until it finds what the table says, and then all of
// them at the same time: one way may have been as it is to be only because the
// policy was not there yet.
func after(ctx context.Context, env *check.Env, table []row) error {
	within := env.Timeouts.Programmed
	came, err := ask(ctx, env, table, func(r row) job.Job {
		if r.open {
			return job.Job{Until: job.Answered, Within: within}
		}
		return job.Job{Until: job.Unanswered, Within: within, Timeout: silence}
	})
	if err != nil {
		return err
	}
	stayed, err := ask(ctx, env, table, func(r row) job.Job {
		if r.open {
			return job.Job{Count: 2}
		}
		return job.Job{Count: 2, Timeout: silence}
	})
	if err != nil {
		return err
	}
	var errs []error
	for i, r := range table {
		switch {
		case !came[i].OK && r.open:
			errs = append(errs, r.failure(fmt.Sprintf("%s within %s", fleet.Says(came[i]), within)))
		case !came[i].OK:
			errs = append(errs, r.failure(fmt.Sprintf("still answered after %s", within)))
		case r.open && !stayed[i].OK:
			errs = append(errs, r.failure(fleet.Says(stayed[i])))
		case !r.open && stayed[i].Received > 0:
			errs = append(errs, r.failure("answered again"))
		}
	}
	return errors.Join(errs...)
}

func (r row) failure(observed string) error {
	f := &check.Failure{Node: r.node, Pods: []string{r.from.Namespace + "/" + r.from.Name}, Observed: observed}
	f.Wanted = r.what + " denied by the policy"
	if r.open {
		f.Wanted = r.what + " allowed by the policy"
	}
	return f
}

// ask has each client do its rows' jobs, with the times and counts of like, and
// returns one result per row.
func ask(ctx context.Context, env *check.Env, table []row, like func(row) job.Job) ([]job.Result, error) {
	var tasks []probe.Task
	of := map[string]int{}
	for i, r := range table {
		key := r.from.Namespace + "/" + r.from.Name
		if _, ok := of[key]; !ok {
			of[key] = len(tasks)
			tasks = append(tasks, probe.Task{Pod: r.from})
		}
		j, l := r.job, like(r)
		j.ID, j.Until, j.Within, j.Count, j.Timeout = strconv.Itoa(i), l.Until, l.Within, l.Count, l.Timeout
		tasks[of[key]].Jobs = append(tasks[of[key]].Jobs, j)
	}
	results := make([]job.Result, len(table))
	var errs []error
	for _, done := range probe.RunAll(ctx, env.Probe, tasks) {
		if done.Err != nil {
			errs = append(errs, &check.Inconclusive{Node: done.Pod.Node, Why: "probe " + done.Pod.Namespace + "/" + done.Pod.Name + " could not be asked", Err: done.Err})
		}
		for _, r := range done.Results {
			i, _ := strconv.Atoi(r.ID)
			if results[i] = r; r.Error == job.Cancelled || r.Error == job.BadJob {
				errs = append(errs, &check.Inconclusive{Node: done.Pod.Node, Why: table[i].what + " was not tried: " + fleet.Says(r)})
			}
		}
	}
	return results, errors.Join(errs...)
}
