// SPDX-License-Identifier: Apache-2.0

// Package engine makes sure that a Docker engine answers on this machine and that
// the machine is fit for kind clusters: it installs and starts an engine where there
// is none, keeps the traffic of its containers on the machine, and undoes all of it.
//
// An engine that someone else started is used as it is and never stopped or
// reconfigured. The package is not for containers, networks or clusters: it only
// lends the docker command, in Docker, to those who are.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	pingLimit      = 5 * time.Second        // one question to an engine
	startLimit     = time.Minute            // a daemon from its start until it is ready
	stopLimit      = 45 * time.Second       // a daemon's own end; dockerd gives its containers 15 s of it
	interruptLimit = 5 * time.Second        // a command between our SIGTERM and SIGKILL
	lockLimit      = 10 * time.Minute       // another process of ours at the same work
	pollInterval   = 200 * time.Millisecond // between two looks at what we wait for
)

// machine is the host under preparation.
type machine struct {
	dir    string // config.Home()/engine
	log    io.Writer
	record record
}

func open(ctx context.Context, log io.Writer) (*machine, func(), error) {
	dir, unlock, err := openDir(ctx)
	if err != nil {
		return nil, nil, err
	}
	m := &machine{dir: dir, log: log, record: record{Sysctls: map[string]string{}}}
	if err := m.record.load(dir); err != nil {
		unlock()
		return nil, nil, err
	}
	return m, unlock, nil
}

// Ensure returns nil when a Docker engine answers. It uses the one that runs.
// Otherwise, as root, it starts the one that is installed, and on Debian installs
// one first; its containers' traffic is then kept on this machine, all of it, or
// with CNIPROOF_ENGINE_EGRESS=allow what goes to private addresses.
// It also raises the inotify limits that more than one cluster needs.
//
// What it does is on log, a line for each step. Calling it again repairs what is
// missing and is otherwise quick. Concurrent calls, of other processes too, wait
// for each other. The error says what to install or start.
func Ensure(ctx context.Context, log io.Writer) error {
	m, unlock, err := open(ctx, log)
	if err != nil {
		return err
	}
	defer unlock()
	raised := sysctls{root: "/proc/sys", log: log}.raise(m.record.Sysctls)
	if err := errors.Join(raised, m.record.save(m.dir)); err != nil {
		return err
	}
	version, err := ping(ctx)
	switch {
	case err == nil && m.record.Dockerd.alive():
		fmt.Fprintf(log, "engine: Docker %s runs, started by cniproof (pid %d)\n", version, m.record.Dockerd.PID)
		return m.isolate(ctx)
	case err == nil:
		fmt.Fprintf(log, "engine: Docker %s runs\n", version)
		return nil
	case ctx.Err() != nil:
		return err
	}
	if err := m.startable(ctx, err); err != nil {
		return err
	}
	if _, err := find("dockerd"); err != nil {
		if err := m.install(ctx); err != nil {
			return err
		}
	}
	return m.start(ctx)
}

// startable returns why an engine that did not answer ping cannot be started by us.
func (m *machine) startable(ctx context.Context, pingErr error) error {
	if strings.Contains(pingErr.Error(), "permission denied") {
		return fmt.Errorf("this user may not use the Docker engine: add it to the group docker, or run as root: %w", pingErr)
	}
	if _, err := find("docker"); err == nil {
		endpoint, err := Docker(ctx, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
		if err != nil {
			return fmt.Errorf("find where the docker client looks for its engine: %w", err)
		}
		if endpoint != "unix:///var/run/docker.sock" && endpoint != "unix:///run/docker.sock" {
			return fmt.Errorf("no Docker engine answers at %s: start it, or unset DOCKER_HOST and DOCKER_CONTEXT: %w", endpoint, pingErr)
		}
	}
	if m.record.Dockerd.alive() {
		return fmt.Errorf("the Docker engine that cniproof started (pid %d) does not answer; see %s, and stop it with \"engine down\": %w",
			m.record.Dockerd.PID, filepath.Join(m.dir, "dockerd.log"), pingErr)
	}
	if _, err := find("dockerd"); err == nil && os.Geteuid() != 0 {
		return fmt.Errorf("the Docker engine does not run and this user may not start it: run \"sudo systemctl start docker\": %w", pingErr)
	}
	return nil
}

// start starts the engine that is installed.
func (m *machine) start(ctx context.Context) error {
	missing, err := MissingCaps()
	if err != nil {
		return err
	}
	var wrapper, resolver string
	if len(missing) > 0 {
		err := m.step("building an OCI runtime for a host without "+strings.Join(missing, ", "), func() (err error) {
			wrapper, err = m.build(ctx, "runc-caps")
			return err
		})
		if err != nil {
			return err
		}
	}
	if !egressAllowed() {
		resolver = resolverAddress
	}
	hostFile, err := os.ReadFile("/etc/docker/daemon.json")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the host's docker settings: %w", err)
	}
	text, err := settings(hostFile, resolver, wrapper)
	if err != nil {
		return err
	}
	settingsFile := filepath.Join(m.dir, "daemon.json")
	if err := replaceFile(settingsFile, text); err != nil {
		return err
	}
	// Containers that restart with the engine must find the rules in place.
	if err := m.isolate(ctx); err != nil {
		return err
	}
	err = m.step("starting the Docker engine", func() error {
		if underSystemd() {
			err = m.startUnit(ctx, settingsFile)
		} else {
			err = m.startDaemon(ctx, settingsFile)
		}
		return errors.Join(err, m.record.save(m.dir))
	})
	if err != nil {
		// The caller's ctx may be what ended.
		undo := context.WithoutCancel(ctx)
		return errors.Join(err, unguard(undo), m.stopResolver(undo), m.record.save(m.dir))
	}
	return m.guard(ctx) // the engine may have made chains that the rules belong in
}

func (m *machine) startDaemon(ctx context.Context, settingsFile string) error {
	program, err := find("dockerd")
	if err != nil {
		return err
	}
	d, err := m.launch("dockerd", program, "--config-file", settingsFile)
	if err != nil {
		return err
	}
	m.record.Dockerd, m.record.Systemd = d.process, false
	if err := m.record.save(m.dir); err != nil {
		return errors.Join(err, d.stop(ctx, stopLimit))
	}
	return d.await(ctx, func() bool {
		_, err := ping(ctx)
		return err == nil
	})
}

// isolate keeps the traffic of our engine's containers on this machine.
func (m *machine) isolate(ctx context.Context) error {
	if err := m.guard(ctx); err != nil {
		return err
	}
	if egressAllowed() {
		fmt.Fprintln(m.log, "engine: containers reach public addresses; rules keep private ones on this machine")
		return nil
	}
	fmt.Fprintln(m.log, "engine: rules keep all traffic of containers on this machine (CNIPROOF_ENGINE_EGRESS=allow lets public addresses through)")
	return m.startResolver(ctx)
}

// Stop stops the engine if Ensure started it, with the containers in it, and puts
// back what Ensure changed: rules, name server, inotify limits. It leaves packages,
// images and volumes, and what dockerd itself leaves: its bridges, its iptables
// chains and net.ipv4.ip_forward. Doing it twice is fine.
func Stop(ctx context.Context, log io.Writer) error {
	m, unlock, err := open(ctx, log)
	if err != nil {
		return err
	}
	defer unlock()
	if m.record.Dockerd.alive() {
		err = m.step(fmt.Sprintf("stopping the Docker engine (pid %d)", m.record.Dockerd.PID), func() error { return m.stopEngine(ctx) })
	} else {
		fmt.Fprintln(log, "engine: no engine started by cniproof runs")
		err = m.stopEngine(ctx)
	}
	if err != nil {
		return errors.Join(err, m.record.save(m.dir))
	}
	return errors.Join(
		unguard(ctx),
		m.stopResolver(ctx),
		sysctls{root: "/proc/sys", log: log}.restore(m.record.Sysctls),
		m.record.save(m.dir),
	)
}

func (m *machine) stopEngine(ctx context.Context) error {
	if m.record.Systemd {
		if err := m.stopUnit(ctx); err != nil {
			return err
		}
	} else if m.record.Dockerd.alive() {
		children := childrenOf(m.record.Dockerd.PID)
		if err := m.record.Dockerd.stop(ctx, stopLimit); err != nil {
			return err
		}
		// dockerd ends its containerd itself, unless it had to be killed.
		for _, child := range children {
			if err := child.stop(ctx, interruptLimit); err != nil {
				return err
			}
		}
	}
	m.record.Dockerd, m.record.Systemd = process{}, false
	return nil
}

// step says on the log what is being done, and then how long it took.
func (m *machine) step(what string, work func() error) error {
	fmt.Fprintf(m.log, "engine: %s ... ", what)
	start := time.Now()
	err := work()
	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	fmt.Fprintf(m.log, "%s in %.1fs\n", outcome, time.Since(start).Seconds())
	return err
}

// ping returns the version of the engine that answers.
func ping(ctx context.Context) (string, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, pingLimit, fmt.Errorf("no answer within %v", pingLimit))
	defer cancel()
	return Docker(bounded, "version", "--format", "{{.Server.Version}}")
}
