// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/cniproof/cniproof/fixtures/workloads"
	"github.com/cniproof/cniproof/framework/check"
	"github.com/cniproof/cniproof/framework/config"
	"github.com/cniproof/cniproof/framework/monitor"
)

// State is what the first half of a gate leaves for the second: a file, and a copy
// in the namespace of the monitors for when the file is gone.
type State struct {
	// Version of this schema: 1.
	Version int `json:"version"`
	// ID is the monitors', Run that of the run before.
	ID      string         `json:"id"`
	Run     string         `json:"run"`
	Begin   time.Time      `json:"begin"`
	Until   time.Time      `json:"until"`
	Image   string         `json:"image"`
	Egress  []string       `json:"egress,omitempty"`
	Results []check.Result `json:"results"`
}

const (
	stateVersion = 1
	// stateName is the ConfigMap's, and stateLabel is on it.
	stateName  = "gate-state"
	stateLabel = "cniproof.io/gate-state"
	stateKey   = "state.json.gz"
)

// Save writes the state to path, where that is not empty, and to the cluster.
func (s State) Save(ctx context.Context, client kubernetes.Interface, path string) error {
	s.Version = stateVersion
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if path != "" {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return &config.Problem{What: "the gate's state cannot be written", Do: "pass -gate-state with a file that can be", Err: err}
		}
	}
	var small bytes.Buffer
	w := gzip.NewWriter(&small)
	_, err = w.Write(data)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	space, _ := workloads.Namespaces(s.ID)
	_, err = client.CoreV1().ConfigMaps(space).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: stateName, Labels: map[string]string{
			stateLabel: s.ID, workloads.RunLabel: s.ID, workloads.ManagedByLabel: workloads.ManagedBy,
		}},
		BinaryData: map[string][]byte{stateKey: small.Bytes()},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("keep the gate's state in the cluster: %w", err)
	}
	return nil
}

// Load reads the state from path where it is there, else from the cluster, where
// the newest counts.
func Load(ctx context.Context, client kubernetes.Interface, path string) (State, error) {
	if path != "" {
		data, err := os.ReadFile(path)
		if err == nil {
			return parseState(data, path)
		}
		if !os.IsNotExist(err) {
			return State{}, &config.Problem{What: "the gate's state cannot be read", Do: "pass -gate-state with the file that -gate-phase=before wrote, or leave it out", Err: err}
		}
	}
	list, err := client.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{LabelSelector: stateLabel})
	if err != nil {
		return State{}, fmt.Errorf("look for the gate's state in the cluster: %w", err)
	}
	var newest *corev1.ConfigMap
	for i, m := range list.Items {
		if newest == nil || newest.CreationTimestamp.Before(&m.CreationTimestamp) {
			newest = &list.Items[i]
		}
	}
	if newest == nil {
		return State{}, &config.Problem{What: "there is no gate to go on with: no state file, and none in the cluster", Do: "run -gate-phase=before first; monitors that nobody asks for are removed after a while"}
	}
	r, err := gzip.NewReader(bytes.NewReader(newest.BinaryData[stateKey]))
	if err != nil {
		return State{}, fmt.Errorf("read the gate's state in namespace %s: %w", newest.Namespace, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, 64<<20))
	if err != nil {
		return State{}, fmt.Errorf("read the gate's state in namespace %s: %w", newest.Namespace, err)
	}
	return parseState(data, "ConfigMap "+newest.Namespace+"/"+newest.Name)
}

func parseState(data []byte, from string) (State, error) {
	var s State
	err := json.Unmarshal(data, &s)
	if err == nil && (s.Version != stateVersion || s.ID == "" || s.Begin.IsZero()) {
		err = fmt.Errorf("it is of version %d, wanted %d", s.Version, stateVersion)
	}
	if err != nil {
		return s, &config.Problem{What: "the gate's state in " + from + " is not one", Do: "run -gate-phase=before again", Err: err}
	}
	return s, nil
}

// Finish is Watch's other half for a gate whose first was another process: it waits
// until the cluster has settled and returns what was seen since.
func Finish(ctx context.Context, in Input, begin time.Time) (*Result, error) {
	r := &Result{Begin: begin}
	r.Unsettled = settle(ctx, in.Cluster, in.Options.Timeouts)
	if r.Unsettled != "" {
		fmt.Fprintf(in.Log, "it has not settled: %s\n", r.Unsettled)
	}
	r.End = time.Now()
	return r, r.collect(ctx, in, monitor.NewDiary(in.Cluster, begin))
}
