"""Colours of what the rays met."""

import functools

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.demo_world import paint
from data_prep.demo_world.mesh import Rays, blocked
from data_prep.demo_world.road import TERRAIN, ground_kind
from data_prep.demo_world.scene import Instant
from data_prep.demo_world.solids import LACQUERED, Floats, Pattern
from data_prep.demo_world.texture import Image, fractal_noise
from data_prep.demo_world.view import View

_SHADOW_REACH_M = 300.0
# ours: wider than the sun's 0.0047 rad, so that penumbras show at these sizes.
_SUN_RADIUS_RAD = 0.012
# Each pixel of a cell of 4x4 looks for the sky in other directions; a 4x4 mean then sees them all.
_SKY_CELL = 4
_SKY_REACH_M = 12.0
_BOUNCED = 0.30  # ours: light from the ground and from walls, where no sky is seen


# ours: share of light that is mirrored at a right angle; lacquer, then single and double panes.
_MIRRORED = {
    Pattern.CAR_BODY: 0.06,
    Pattern.CAR_PANEL: 0.06,
    Pattern.CAR_CABIN: 0.10,
    Pattern.BUS: 0.10,
    Pattern.SHOP: 0.14,
    Pattern.FACADE: 0.14,
    Pattern.BRICK_FACADE: 0.14,
}
_WATER = 0.02  # at a right angle
_WET_DARKENING = 0.45  # ours: of rough ground that water fills
# Elsewhere only panes mirror: they are darker than what they are set in.
_PANE_REFLECTANCE = 0.16
# ours: a road's facets lean by 17 degrees; worn stones, tar and the film of rubber on them mirror.
_ROAD_ROUGHNESS = 0.3
_STONE_MIRRORED = 0.04  # at a right angle, of all that is neither metal nor water
_ROUGH_SKY_MIRRORED = 0.08  # of the sky near the horizon, seen at a grazing angle
# ours: the sun that curved metal and old panes mirror, wider and dimmer than the disc.
_GLINT, _GLINT_POWER = 12.0, 300.0
_CANOPY_HEIGHT_M = 7.0
_FLECKS = (0.0, 0.25, 0.5, 0.6, 0.8)  # per octave: light that falls between leaves and branches
_CROWN_PERIODS = 5.0  # crowns are wider by this than the widest octave
_MIRROR_LIFT_M = 0.02


def reflectance(view: View) -> Image:
    """What the surfaces reflect, `[height, width, 3]` in 0..1 or slightly more; any on the sky."""
    surface, solids = view.surface, view.instant.solids
    return paint.reflectance(
        surface,
        pattern=solids.pattern[surface.index],
        color=solids.color.astype(np.float32)[surface.index],
        road=view.instant.street.road,
        is_ground=view.hits.owner == view.instant.ground,
    )


def glass(view: View) -> Image:
    """Share `[height, width]` of each spot that is glass, 0..1."""
    pattern = view.instant.solids.pattern[view.hits.owner]
    return paint.glass(view.surface, pattern=pattern)


def shade(view: View, *, is_sunlit: npt.NDArray[np.bool_], sky_share: Image) -> Image:
    """Light `[height, width, 3]` that arrives at the camera, before its noise.

    Args:
      view: What it looks at.
      is_sunlit: `[height, width]`, of `sunlit`.
      sky_share: `[height, width]`, of `sky_seen`.
    """
    light = view.instant.street.light
    lit = np.maximum(view.surface.cosine_to_sun, 0.0) * is_sunlit
    open_share = _BOUNCED + (1.0 - _BOUNCED) * sky_share
    strength = lit[..., None] * np.array(light.sun, np.float32)
    strength += open_share[..., None] * np.array(light.ambient, np.float32)
    base = reflectance(view)
    if light.wet:
        is_ground = view.hits.owner == view.instant.ground
        base[is_ground] *= np.float32(1.0 - _WET_DARKENING * light.wet)
    color = base * strength
    if light.gloss:
        _add_gloss(view, color, is_sunlit=is_sunlit, sky_share=sky_share)
    color = _with_mirror_images(view, base, color)
    haze = np.array(light.haze, np.float32)
    fading = np.exp(view.surface.distance_m * np.float32(-1.0 / light.haze_length_m))[..., None]
    color = haze + (color - haze) * fading
    is_sky = view.is_sky
    if is_sky.any():
        rows = np.flatnonzero(is_sky.any(axis=1))
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        x, y, z = np.moveaxis(view.rays.direction[part].astype(np.float32), -1, 0)
        directions = (np.ascontiguousarray(x), np.ascontiguousarray(y), np.ascontiguousarray(z))
        color[part][is_sky[part]] = paint.sky(directions, light)[is_sky[part]]
    return color * np.float32(light.exposure)


def _add_gloss(
    view: View, color: Image, *, is_sunlit: npt.NDArray[np.bool_], sky_share: Image
) -> None:
    """Adds what a paved road mirrors of sun and sky: bright far ahead and against the sun.

    Cook and Torrance 1982 with Trowbridge and Reitz's facets and Smith's masking.
    """
    light = view.instant.street.light
    chosen = view.hits.owner == view.instant.ground
    points_m = view.points_m[chosen]
    kinds = ground_kind(view.instant.street.road, points_m[:, 0], points_m[:, 1])
    chosen[chosen] = kinds != TERRAIN
    if not chosen.any():
        return
    normal = view.normal[chosen]
    to_eye = -view.rays.direction[chosen].astype(np.float32)
    to_eye /= np.sqrt(np.sum(to_eye * to_eye, axis=-1, keepdims=True))
    to_sun = np.array(light.to_sun, np.float32)
    half_way = to_eye + to_sun
    half_way /= np.sqrt(np.sum(half_way * half_way, axis=-1, keepdims=True))
    eye, sun, facet = (
        np.maximum(np.einsum("ni,ni->n", normal, each), np.float32(1e-3))
        for each in (to_eye, np.broadcast_to(to_sun, normal.shape), half_way)
    )
    square = np.float32(_ROAD_ROUGHNESS**2)
    lean = 1.0 / (facet * facet) - 1.0
    facets = square / (np.pi * facet**4 * (square + lean) ** 2)
    seen = np.float32(1.0)
    for cosine in (eye, sun):
        seen = seen * 2.0 / (1.0 + np.sqrt(1.0 + square * (1.0 / (cosine * cosine) - 1.0)))
    grazing = 1.0 - np.einsum("ni,ni->n", half_way, to_eye)
    fresnel = _STONE_MIRRORED + (1.0 - _STONE_MIRRORED) * grazing**5
    # Divided by 4 cos(eye) cos(sun), times the cosine at which sunlight arrives, times pi, since
    # `sun` is what a white surface shows.
    of_sun = np.pi * facets * seen * fresnel / (4.0 * eye) * is_sunlit[chosen]
    of_sky = _ROUGH_SKY_MIRRORED * (1.0 - eye) ** 5 * sky_share[chosen]
    shine = of_sun[:, None] * np.array(light.sun, np.float32)
    shine += of_sky[:, None] * np.array(light.haze, np.float32)
    color[chosen] += np.float32(light.gloss) * shine


def _with_mirror_images(view: View, base: Image, color: Image) -> Image:
    """Adds to `color` what panes and lacquer mirror; `base` is the reflectance.

    Mirror images lie beyond their surface, so that matching them gives too little disparity, as on
    real cars and windows.
    """
    pattern = view.instant.solids.pattern[view.hits.owner]
    wet = view.instant.street.light.wet
    share = _mirrored_of_pattern()[pattern]
    is_smooth = np.isin(pattern, LACQUERED)
    is_pane = (base.mean(axis=-1) < _PANE_REFLECTANCE) & ~is_smooth
    chosen = (share > 0) & (is_pane | is_smooth)
    covered = np.ones(share.shape, np.float32)
    if wet:
        is_paved = pattern == Pattern.GROUND
        share[is_paved] = _WATER
        covered[is_paved] = wet * _puddles(view, is_paved)
        chosen |= is_paved & (covered > 0)
    if not chosen.any():
        return color
    direction = view.rays.direction[chosen]
    direction = direction / np.sqrt(np.sum(direction * direction, axis=-1, keepdims=True))
    leans = is_smooth[chosen, None]
    normal = np.where(leans, view.normal[chosen], view.hits.normal[chosen]).astype(np.float64)
    toward = np.einsum("ni,ni->n", direction, normal)
    # Schlick's approximation of Fresnel's law.
    mirrored = share[chosen] + (1.0 - share[chosen]) * (1.0 - np.minimum(np.abs(toward), 1.0)) ** 5
    mirrored *= covered[chosen]
    rays = Rays(
        origin_m=view.points_m[chosen] - np.sign(toward)[:, None] * _MIRROR_LIFT_M * normal,
        direction=direction - 2.0 * toward[:, None] * normal,
    )
    color[chosen] += mirrored[:, None].astype(np.float32) * (
        _seen_in_mirror(view.instant, rays) - color[chosen]
    )
    return color


def _puddles(view: View, chosen: npt.NDArray[np.bool_]) -> Image:
    """Share of each chosen point of the ground that is smooth water, 0..1.

    Grass is dry, hollows are puddles, and elsewhere the stones stand out of the film.
    """
    surface, points_m = view.surface, view.points_m[chosen]
    x_m, y_m = surface.local[0][chosen], surface.local[1][chosen]
    hollow = fractal_noise(
        x_m, y_m, surface.footprint_m[chosen], np.zeros_like(x_m), strength=(0, 0, 0.3, 0.6, 0.8)
    )
    kinds = ground_kind(view.instant.street.road, points_m[:, 0], points_m[:, 1])
    return np.clip(0.15 + 1.5 * hollow, 0.08, 0.9) * (kinds != TERRAIN)


def _seen_in_mirror(instant: Instant, rays: Rays) -> Image:
    """Light `[n, 3]` along rays `[n]`: plain colours without pattern or shadow, and the sky."""
    light, hits = instant.street.light, instant.cast(rays)
    facing = np.maximum(hits.normal @ np.array(light.to_sun, np.float32), 0.0)[:, None]
    color = instant.solids.color.astype(np.float32)[hits.owner] * (
        np.array(light.ambient, np.float32) + 0.7 * facing * np.array(light.sun, np.float32)
    )
    is_sky = hits.owner == instant.sky
    if is_sky.any():
        x, y, z = rays.direction[is_sky].astype(np.float32).T
        directions = (np.ascontiguousarray(x), np.ascontiguousarray(y), np.ascontiguousarray(z))
        glint = np.maximum(rays.direction[is_sky] @ light.to_sun, 0.0) ** _GLINT_POWER
        color[is_sky] = paint.sky(directions, light)
        color[is_sky] += _GLINT * glint[:, None] * np.array(light.sun)
    return color.astype(np.float32)


@functools.cache
def _mirrored_of_pattern() -> npt.NDArray[np.float32]:
    table = np.zeros(len(Pattern), np.float32)
    for pattern, share in _MIRRORED.items():
        table[pattern] = share
    return table


def sunlit(view: View, *, sun_offset: Floats) -> npt.NDArray[np.bool_]:
    """Whether each point `[height, width]` faces the sun and nothing hides it.

    Args:
      view: What was met.
      sun_offset: `[height, width, 2]` or `[2]` in the unit disc, the part of the sun asked for.
    """
    to_sun = np.array(view.instant.street.light.to_sun)
    across = np.cross(to_sun, (0.0, 0.0, 1.0))
    across /= np.linalg.norm(across)
    plane = _SUN_RADIUS_RAD * np.stack([across, np.cross(to_sun, across)])
    lit = (view.surface.cosine_to_sun > 0) & (view.hits.normal @ to_sun > 0) & ~view.is_sky
    lit &= ~_under_crowns(view)
    offsets = np.broadcast_to(sun_offset, (*lit.shape, 2))[lit]
    lit[lit] = ~blocked(
        view.points_m[lit],
        view.hits.normal[lit],
        to_sun + offsets @ plane,
        view.instant.scenes,
        reach_m=_SHADOW_REACH_M,
    )
    return lit


def _under_crowns(view: View) -> npt.NDArray[np.bool_]:
    """Whether leaves that stand in no picture hide the sun from each point `[height, width]`."""
    light = view.instant.street.light
    if not light.canopy:
        return np.zeros(view.hits.owner.shape, np.bool_)
    x_m, y_m, z_m = np.moveaxis(view.points_m, -1, 0)
    east, north, up = light.to_sun
    climb = (_CANOPY_HEIGHT_M - z_m) / max(up, 0.2)
    x_m, y_m = (x_m + climb * east).astype(np.float32), (y_m + climb * north).astype(np.float32)
    blur_m, seed = view.surface.footprint_m, np.zeros_like(x_m)
    flecks = fractal_noise(x_m, y_m, blur_m, seed, strength=_FLECKS)
    wide = np.float32(1.0 / _CROWN_PERIODS)
    crowns = fractal_noise(x_m * wide, y_m * wide, blur_m * wide, seed, strength=(0, 0, 0, 0.5, 1))
    cover = 2.4 * light.canopy - 1.2
    return (crowns + 0.6 * flecks < cover) & (z_m < _CANOPY_HEIGHT_M)


def sky_seen(view: View, *, num_rays: int) -> Image:
    """Share `[height, width]` of the light from everywhere that reaches each point."""
    height, width = view.hits.owner.shape
    asks = ~view.is_sky
    row, column = np.nonzero(asks)
    place = (row % _SKY_CELL) * _SKY_CELL + column % _SKY_CELL
    points_m, normal = view.points_m[asks], view.hits.normal[asks]
    spread = _even_on_sphere(_SKY_CELL**2 * num_rays).reshape(num_rays, -1, 3)
    free = np.zeros(len(row), np.float32)
    for directions in spread:
        # Points of a unit sphere on the normal's tip: as many as the cosine asks for.
        toward = normal + directions[place]
        toward /= np.sqrt(np.sum(toward * toward, axis=-1, keepdims=True)) + np.float32(1e-6)
        free += ~blocked(points_m, normal, toward, view.instant.scenes, reach_m=_SKY_REACH_M)
    seen = np.ones((height, width), np.float32)
    seen[asks] = free / num_rays
    return cv2.blur(seen, (_SKY_CELL, _SKY_CELL))


def _even_on_sphere(count: int) -> npt.NDArray[np.float32]:
    """Points `[count, 3]` spread evenly over the unit sphere (a Fibonacci lattice), shuffled."""
    number = np.random.default_rng(0).permutation(count)
    z = 1.0 - (2.0 * number + 1.0) / count
    angle = number * np.pi * (3.0 - np.sqrt(5.0))
    radius = np.sqrt(1.0 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=-1).astype(np.float32)
