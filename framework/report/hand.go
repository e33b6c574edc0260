// SPDX-License-Identifier: Apache-2.0

package report

import (
	"context"
	"errors"
	"fmt"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/scenario"
)

// byHand makes or heals a fault for people and other tools, and looks at nothing.
func (e *Exam) byHand(ctx context.Context, chosen []scenario.Scenario) error {
	s := chosen[0]
	if *e.heal != "" {
		names, err := e.healKept(ctx, func(k cluster.Kept) bool { return k.Topology == s.Topology })
		if err == nil && len(names) == 0 {
			fmt.Fprintf(e.log, "no cluster of topology %s has a fault of ours\n", s.Topology)
		}
		return err
	}
	if _, err := e.healKept(ctx, func(k cluster.Kept) bool { return k.Topology == s.Topology && k.Given == "" }); err != nil {
		fmt.Fprintln(e.log, err)
	}
	provider := e.provider(s.Topology, "", e.log)
	c, err := provider.Up(ctx)
	if err == nil {
		err = e.healLeftover(ctx, c)
	}
	if err != nil {
		return err
	}
	look, err := scenario.Inject(ctx, c, s, e.options.Timeouts)
	e.howToLook(s, provider.Kubeconfig(), look)
	return err
}

// healKept heals what is left in those of our clusters, and names it. It comes before
// anybody looks whether they are well: one that is not would be replaced.
func (e *Exam) healKept(ctx context.Context, which func(cluster.Kept) bool) (healed []string, err error) {
	kept, err := cluster.ListKept(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, k := range kept {
		if !which(k) || !scenario.Faulty("kind-"+k.Name) {
			continue
		}
		c, err := cluster.Existing(cluster.ExistingOptions{Kubeconfig: k.Kubeconfig, Timeouts: e.options.Timeouts, Log: e.log}).Up(ctx)
		name := ""
		if err == nil {
			name, err = scenario.HealLeftover(ctx, c, e.options.Timeouts)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cluster %s is left with a fault: %w", k.Name, err))
			continue
		}
		fmt.Fprintf(e.log, "healed %s in cluster %s\n", name, c.Name)
		healed = append(healed, name)
	}
	return healed, errors.Join(errs...)
}

// howToLook says what to do with a fault that stays.
func (e *Exam) howToLook(s scenario.Scenario, kubeconfig string, look []string) {
	fmt.Fprintf(e.log, "%s is in place: %s\n", s.Name, s.Title)
	if kubeconfig != "" {
		fmt.Fprintf(e.log, "  export KUBECONFIG=%s\n", kubeconfig)
	}
	for _, command := range look {
		fmt.Fprintf(e.log, "  look: %s\n", command)
	}
	fmt.Fprintf(e.log, "  heal: go test ./scenarios -count=1 -v -heal %s\n", s.Name)
}

func (e *Exam) healLeftover(ctx context.Context, c *cluster.Cluster) error {
	healed, err := scenario.HealLeftover(ctx, c, e.options.Timeouts)
	if err == nil && healed != "" {
		fmt.Fprintf(e.log, "healed %s, left behind by a run that was killed\n", healed)
	}
	return err
}
