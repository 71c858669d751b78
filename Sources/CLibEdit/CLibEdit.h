// libedit for Swift: its setters are variadic, which Swift cannot call; here is one typed function for each one used.

#ifndef CLIBEDIT_H
#define CLIBEDIT_H

#include <histedit.h>
#include <stdio.h>
#include <wchar.h>

typedef char *(*libedit_prompt_function)(EditLine *);
typedef unsigned char (*libedit_command_function)(EditLine *, int);
typedef int (*libedit_read_function)(EditLine *, wchar_t *);

static inline EditLine *libedit_start(const char *program) {
    return el_init(program, stdin, stdout, stderr);
}

static inline int libedit_set_prompt(EditLine *editor, libedit_prompt_function prompt, char escape) {
    return el_set(editor, EL_PROMPT_ESC, prompt, escape);
}

static inline int libedit_set_editor(EditLine *editor, const char *name) {
    return el_set(editor, EL_EDITOR, name);
}

static inline int libedit_set_signal_handling(EditLine *editor, int on) {
    return el_set(editor, EL_SIGNAL, on);
}

static inline int libedit_set_history(EditLine *editor, History *past) {
    return el_set(editor, EL_HIST, history, past);
}

static inline int libedit_set_read_function(EditLine *editor, libedit_read_function function) {
    return el_set(editor, EL_GETCFN, function);
}

static inline int libedit_set_client_data(EditLine *editor, void *data) {
    return el_set(editor, EL_CLIENTDATA, data);
}

static inline void *libedit_client_data(EditLine *editor) {
    void *data = NULL;
    el_get(editor, EL_CLIENTDATA, &data);
    return data;
}

static inline int libedit_add_function(
    EditLine *editor, const char *name, const char *help, libedit_command_function function) {
    return el_set(editor, EL_ADDFN, name, help, function);
}

static inline int libedit_bind(EditLine *editor, const char *key, const char *function) {
    return el_set(editor, EL_BIND, key, function, NULL);
}

static inline int libedit_set_terminal(EditLine *editor, const char *type) {
    return el_set(editor, EL_TERMINAL, type);
}

static inline void libedit_prepare_terminal(EditLine *editor, int raw) {
    el_set(editor, EL_PREP_TERM, raw);
}

static inline void libedit_refresh(EditLine *editor) {
    el_set(editor, EL_REFRESH);
}

static inline int libedit_history_set_size(History *past, int size) {
    HistEvent event;
    return history(past, &event, H_SETSIZE, size);
}

static inline int libedit_history_set_unique(History *past, int unique) {
    HistEvent event;
    return history(past, &event, H_SETUNIQUE, unique);
}

static inline int libedit_history_enter(History *past, const char *line) {
    HistEvent event;
    return history(past, &event, H_ENTER, line);
}

#endif
