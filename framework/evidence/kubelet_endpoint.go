// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/cniproof/cniproof/framework/cluster"
)

// kubelet is the second best way to a node's logs: what its kubelet serves of
// them through the API server. /logs/ lists and serves /var/log
// (enableSystemLogHandler, on by default), and with enableSystemLogQuery, off by
// default, the journal of a unit too (KEP-2258). It runs no command.
type kubelet struct {
	client *rest.RESTClient
	node   string
}

func kubeletOf(c *cluster.Cluster, node string) (kubelet, error) {
	client, ok := c.Client.CoreV1().RESTClient().(*rest.RESTClient)
	if !ok || client == nil {
		return kubelet{}, errors.New("this client makes no requests of its own")
	}
	return kubelet{client, node}, nil
}

// command is a request as a human would type it.
func (k kubelet) command(file string, query url.Values) string {
	address := "/api/v1/nodes/" + k.node + "/proxy/logs/" + file
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return "kubectl get --raw " + word(address)
}

func (k kubelet) open(ctx context.Context, file string, query url.Values) (io.ReadCloser, error) {
	request := k.client.Get().Resource("nodes").Name(k.node).SubResource("proxy").Suffix("logs/" + file)
	for name := range query {
		request.Param(name, query.Get(name))
	}
	return request.Stream(ctx)
}

// listing is what a page begins with that lists a directory (net/http, fs.go). It
// is what a kubelet answers that takes no queries.
const listing = "<!doctype html>"

// noUnit is what it answers of a service that is not in the journal
// (kubernetes, pkg/kubelet/kubelet_server_journal.go).
const noUnit = "options present and query resolved to log files"

// journal saves what the kubelet tells of a unit's journal.
func (k kubelet) journal(ctx context.Context, w *Writer, unit, file string) {
	query := url.Values{"query": {unit}, "sinceTime": {w.since.UTC().Format(time.RFC3339)}}
	item := w.begin(k.command("", query))
	item.Path = file
	stream, err := k.open(ctx, "", query)
	if err != nil {
		w.fail(item, whatTimedOut(err, w.timeouts.NodeCommand))
		return
	}
	defer stream.Close()
	// Peek's error is that there is less, which is fine.
	answer := bufio.NewReader(stream)
	start, _ := answer.Peek(len(noUnit) + 2)
	switch start := strings.TrimSpace(string(start)); {
	case strings.HasPrefix(start, listing):
		w.fail(item, errors.New("this kubelet takes no log queries (enableSystemLogQuery in its configuration)"))
	case strings.HasPrefix(start, noUnit):
		w.fail(item, fmt.Errorf("no unit %s on this node", unit))
	default:
		w.save(item, answer)
	}
}

// logFile saves a file below /var/log.
func (k kubelet) logFile(ctx context.Context, w *Writer, file, as string) {
	item := w.begin(k.command(file, nil))
	item.Path = as
	stream, err := k.open(ctx, file, nil)
	if err != nil {
		w.fail(item, whatTimedOut(err, w.timeouts.NodeCommand))
		return
	}
	defer stream.Close()
	w.save(item, stream)
}

// link is a name in a listing; directories end with a slash.
var link = regexp.MustCompile(`<a href="([^"]+)">`)

// list is what a directory below /var/log holds, and the page that says so.
func (k kubelet) list(ctx context.Context, dir string) ([]string, []byte, error) {
	stream, err := k.open(ctx, dir, nil)
	if err != nil {
		return nil, nil, err
	}
	defer stream.Close()
	page, err := io.ReadAll(io.LimitReader(stream, 1<<20))
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, match := range link.FindAllSubmatch(page, -1) {
		if name, err := url.PathUnescape(string(match[1])); err == nil {
			names = append(names, dir+name)
		}
	}
	return names, page, nil
}

// deepest is how many directories below /var/log logs of a CNI are looked for
// in, one inside the other.
const deepest = 3

// ofCNI are names of what CNI plugins write and of what holds it (var_log.go).
var ofCNI = regexp.MustCompile(`cni|calico|cilium|weave|flannel|multus|antrea|ovn-kubernetes|aws-routed-eni|azure-vnet|kubelet\.log`)

// logsOfCNI are files below /var/log that a CNI wrote.
func (k kubelet) logsOfCNI(ctx context.Context, names []string, depth int) []string {
	var files []string
	for _, name := range names {
		if !ofCNI.MatchString(name) || strings.HasPrefix(name, "pods/") || strings.HasPrefix(name, "containers/") {
			continue
		}
		if !strings.HasSuffix(name, "/") {
			files = append(files, name)
			continue
		}
		if depth < deepest {
			inside, _, _ := k.list(ctx, name) // what cannot be read is not there to be named
			files = append(files, k.logsOfCNI(ctx, inside, depth+1)...)
		}
	}
	return files
}

// secondBest gathers what the kubelet of a node gives that takes no commands,
// and records every other documented command as not run. why says why not.
func (run *collection) secondBest(ctx context.Context, node string, collectors []Collector, why error) {
	ctx, cancel := context.WithTimeout(ctx, run.Timeouts.Collector)
	defer cancel()
	k, err := kubeletOf(run.Cluster, node)
	var names []string
	var page []byte
	if err == nil {
		asking, cancel := context.WithTimeout(ctx, run.Timeouts.NodeCommand)
		names, page, err = k.list(asking, "")
		cancel()
	}
	if err != nil {
		why = fmt.Errorf("%w; nor does its kubelet serve logs: %s", why, firstLine([]byte(err.Error())))
	}
	var asking errgroup.Group
	for _, col := range collectors {
		if col.PerNode == nil {
			continue
		}
		w := run.writer(col.Name, node)
		if err != nil || !slices.Contains([]string{"kubelet-log", "runtime-log", "var-log"}, col.Name) {
			w.absent(run.Cluster, col.Steps, why)
			continue
		}
		asking.Go(func() error {
			run.guard(ctx, w, func(ctx context.Context, w *Writer) error {
				if col.Name == "var-log" {
					k.varLog(ctx, w, names, page)
					return nil
				}
				for _, step := range col.Steps {
					k.journal(ctx, w, strings.Fields(step.Command)[2], strings.ReplaceAll(step.Yields, "<node>", fileName(node)))
				}
				return nil
			})
			return nil
		})
	}
	_ = asking.Wait()
}

// varLog saves the listing of /var/log and what CNIs wrote there.
func (k kubelet) varLog(ctx context.Context, w *Writer, names []string, page []byte) {
	at := "nodes/" + fileName(k.node) + "/"
	item := w.begin(k.command("", nil))
	item.Path = at + listLogs.file
	w.save(item, bytes.NewReader(page))
	files := k.logsOfCNI(ctx, names, 0)
	for _, file := range files[:min(len(files), mostLogs)] {
		k.logFile(ctx, w, file, path.Clean(at+"files/var/log/"+file))
	}
}
