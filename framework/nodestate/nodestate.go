// SPDX-License-Identifier: Apache-2.0

// Package nodestate reads what the kernel, the runtime and the disk of a node
// hold at one moment, with commands that change nothing, and gives it types. It
// judges nothing and keeps nothing; evidence that people read later is package
// evidence's.
package nodestate

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
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
	answers map[Part]answer
}

// answer is what became of one line.
type answer struct {
	out       []byte
	complaint string
	code      int
}

// patience is how long one part may take on the node, in seconds: the node's
// shell takes no other unit that all of them know.
var patience = int(config.DefaultTimeouts().NodeCommand.Seconds())

func read(ctx context.Context, access cluster.NodeAccess, node cluster.Node, parts []Part) (*State, error) {
	mark := rand.Text()
	out, err := access.Run(ctx, node.Name, cluster.Command{Argv: []string{"sh"}, Stdin: []byte(script(mark, parts))})
	if err != nil {
		return nil, &check.Inconclusive{Node: node.Name, Why: "the node could not be asked", Err: err}
	}
	s := &State{Node: node, answers: map[Part]answer{}}
	for i, section := range bytes.Split(out.Stdout, []byte(mark+" begin\n"))[1:] {
		body, tail, ended := bytes.Cut(section, []byte(mark+" end "))
		if !ended || i >= len(parts) {
			continue
		}
		a := answer{out: body}
		code, complaint, _ := strings.Cut(string(tail), " ")
		if _, err := fmt.Sscan(code, &a.code); err != nil {
			continue
		}
		a.complaint = strings.TrimSpace(complaint)
		s.answers[parts[i]] = a
	}
	return s, nil
}

// script prints each part's standard output between marks, with its exit code
// and standard error behind.
func script(mark string, parts []Part) string {
	var b strings.Builder
	fmt.Fprintf(&b, `t='timeout %d'; $t true 2>/dev/null || t=
export LC_ALL=C
exec 3>&1
run() {
echo '%[2]s begin'
e=$($t sh -c "$1" 2>&1 >&3 3>&- </dev/null)
printf '%%s\n' "%[2]s end $? $e"
}
`, patience, mark)
	for _, p := range parts {
		fmt.Fprintf(&b, "run '%s'\n", strings.ReplaceAll(p.line, "'", `'\''`))
	}
	return b.String()
}

// text is what the part printed. An exit code is no error where something was
// printed: grep and sysctl complain of one file and print all others.
func (s *State) text(p Part) ([]byte, error) {
	a, ok := s.answers[p]
	switch {
	case !ok:
		return nil, s.unread(p, errors.New("the node's shell ended before"))
	case a.code == 124 || a.code == 137: // timeout(1) ended it: what it printed is a part
		return nil, s.unread(p, fmt.Errorf("no end within %d s", patience))
	case a.code != 0 && len(bytes.TrimSpace(a.out)) == 0:
		return nil, s.unread(p, fmt.Errorf("exit %d: %s", a.code, a.complaint))
	}
	return a.out, nil
}

func (s *State) unread(p Part, err error) error {
	return &check.Inconclusive{Node: s.Node.Name, Why: p.what + " could not be read", Err: err}
}
