// SPDX-License-Identifier: Apache-2.0

// Package nodestate reads what the kernel, the runtime and the disk of a node
// hold at one moment, with commands that change nothing, and gives it types. It
// judges nothing and keeps nothing; evidence that people read later is package
// evidence's.
package nodestate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/fleet"
)

// atOnce is how many nodes are asked at the same time.
const atOnce = 32

// Part is one thing to read of a node: a line for its shell.
type Part struct {
	// what it is, for people: "its routes".
	what, line string
}

// Question is what to read of each node and what to make of it.
type Question struct {
	// Parts are what State will have of the node, all read in one command.
	Parts func(cluster.Node) []Part
	// Judge says what the state means: nil, or an outcome. It is called for one
	// node at a time, in any order.
	Judge func(*State) error
}

// Parts are the same for every node.
func Parts(parts ...Part) func(cluster.Node) []Part {
	return func(cluster.Node) []Part { return parts }
}

// Ask reads the state of each node of env.Nodes, all nodes in parallel and each
// with one command, and joins what Judge makes of them. A node that could not
// be asked is inconclusive; where there is no node access the claim does not
// apply.
func Ask(ctx context.Context, env *check.Env, q Question) error {
	if env.Cluster.Access == nil {
		return &check.NotApplicable{Lacks: "node access, a way to run commands on its nodes"}
	}
	nodes, unable := fleet.Able(env)
	errs := make([]error, len(nodes), len(nodes)+1)
	var judging sync.Mutex
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, node := range nodes {
		group.Go(func() error {
			state, err := read(ctx, env.Cluster.Access, node, q.Parts(node))
			if err == nil {
				// State is not kept: a thousand nodes have a thousand routes each.
				judging.Lock()
				defer judging.Unlock()
				err = q.Judge(state)
			}
			errs[i] = err
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(append(errs, unable)...)
}

// State is what was read of one node. Its methods return an *Inconclusive of
// package check for what could not be read, so that a check can pass it on.
type State struct {
	Node    cluster.Node
	answers map[Part]cluster.Answer
}

// patience is how long an exec for the parts may take on the node, and about how
// long one of them may.
var patience = config.DefaultTimeouts().NodeCommand

func read(ctx context.Context, access cluster.NodeAccess, node cluster.Node, parts []Part) (*State, error) {
	lines := make([]string, len(parts))
	for i, p := range parts {
		lines[i] = p.line
	}
	answers := cluster.Batch(ctx, patience, lines, func(ctx context.Context, cmd cluster.Command) (cluster.Output, error) {
		return access.Run(ctx, node.Name, cmd)
	})
	if len(parts) > 0 && answers[0].Err != nil && answers[0].Started.IsZero() {
		return nil, &check.Inconclusive{Node: node.Name, Why: "the node could not be asked", Err: answers[0].Err}
	}
	s := &State{Node: node, answers: map[Part]cluster.Answer{}}
	for i, p := range parts {
		s.answers[p] = answers[i]
	}
	return s, nil
}

// text is what the part printed. An exit code is no error where something was
// printed: grep and sysctl complain of one file and print all others.
func (s *State) text(p Part) ([]byte, error) {
	a, ok := s.answers[p]
	switch {
	case !ok:
		return nil, s.unread(p, errors.New("it was not asked for"))
	case a.Err != nil: // what it printed until then is a part
		return nil, s.unread(p, a.Err)
	case a.Code != 0 && len(bytes.TrimSpace(a.Stdout)) == 0:
		return nil, s.unread(p, fmt.Errorf("exit %d: %s", a.Code, bytes.TrimSpace(a.Stderr)))
	}
	return a.Stdout, nil
}

func (s *State) unread(p Part, err error) error {
	return &check.Inconclusive{Node: s.Node.Name, Why: p.what + " could not be read", Err: err}
}
