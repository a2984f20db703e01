"""HTTP doors."""

from fastapi import APIRouter

from . import books, rounds, seats

ROUTERS: tuple[APIRouter, ...] = (rounds.router, seats.router, books.router)
