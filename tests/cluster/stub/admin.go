package main

import (
	"encoding/json"
	"net/http"
)

// adminRoutes are what a test drives the stub with. They answer at once, at any time.
//
//	POST   /admin/load  {"running": 8, "waiting": 17, "kv": 0.5}   show these; null or absent: the real one
//	                    {"waiting": "NaN", "kv": "+Inf"}           what JSON has no number for
//	                    {"absent": ["waiting"]}                    leave these out of the metrics
//	DELETE /admin/load                                             show the real ones again
//	POST   /admin/fail  {"rate": 0.5, "status": 500}               or {"hang": true}; "target": api, metrics, health, all
//	DELETE /admin/fail
//	POST   /admin/body  {"name": "sglang-0.5.12"}                  speak another engine's dialect
//	GET    /admin/state                                            what is real and what is set
func (s *Server) adminRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /admin/load", func(w http.ResponseWriter, r *http.Request) {
		override := &Override{}
		if !decode(w, r, override) {
			return
		}
		if override.empty() {
			override = nil
		}
		s.engine.Touch()
		s.set(w, func() { s.override = override })
	})
	mux.HandleFunc("DELETE /admin/load", func(w http.ResponseWriter, _ *http.Request) {
		s.set(w, func() { s.override = nil })
	})
	mux.HandleFunc("POST /admin/fail", func(w http.ResponseWriter, r *http.Request) {
		failure := &Failure{Rate: 1, Status: http.StatusInternalServerError, Target: "api"}
		if !decode(w, r, failure) {
			return
		}
		s.set(w, func() { s.fail(failure) })
	})
	mux.HandleFunc("DELETE /admin/fail", func(w http.ResponseWriter, _ *http.Request) {
		s.set(w, func() { s.fail(nil) })
	})
	mux.HandleFunc("POST /admin/body", func(w http.ResponseWriter, r *http.Request) {
		asked := struct {
			Name string `json:"name"`
		}{}
		if !decode(w, r, &asked) {
			return
		}
		template, err := LoadTemplate(s.options.Bodies, asked.Name)
		if err != nil {
			writeError(w, http.StatusNotFound, err.Error())
			return
		}
		s.set(w, func() { s.template = template })
	})
	mux.HandleFunc("GET /admin/state", func(w http.ResponseWriter, _ *http.Request) { s.set(w, func() {}) })
}

// fail replaces the present failure and lets those go on that hang in it.
func (s *Server) fail(failure *Failure) {
	s.failure = failure
	close(s.cleared)
	s.cleared = make(chan struct{})
}

// set changes the server under its lock and answers with its state.
func (s *Server) set(w http.ResponseWriter, change func()) {
	s.mu.Lock()
	change()
	state := map[string]any{"body": s.template.Name, "load": s.override, "fail": s.failure}
	s.mu.Unlock()
	state["real"] = s.engine.Snapshot(nil).Values
	writeJSON(w, http.StatusOK, state)
}

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return false
	}
	return true
}
