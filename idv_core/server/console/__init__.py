"""The console: pages for operators, made on the server. They are whole without JavaScript, and handier with it."""
